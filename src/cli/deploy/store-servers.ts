import { CONTAINER_USER, SECRETS_FOLDER } from './container.ts'
import type { StoreKind } from './deployment.ts'

/** A server that keeps what roles agree in, as its image runs it. */
export interface StoreServer {
  readonly summary: string
  readonly image: string
  /** By number; the volume has to be its own. */
  readonly user: number
  readonly port: number
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Name of the one that it reads. */
  readonly secret: string
  /** Where its volume is, and what else it writes to. */
  readonly data: string
  readonly scratch: readonly string[]
  /** Ends with 0 while it runs, and while it can be used. */
  readonly alive: readonly string[]
  readonly ready: readonly string[]
  readonly memoryMb: number
  readonly processors: number
  readonly disk: string
}

const PING = 'redis-cli --user health --pass none --no-auth-warning ping'
const NATS_HEALTH = 'http://127.0.0.1:8222/healthz'
const inSecrets = (name: string) => `${SECRETS_FOLDER}/${name}`

/** Those that are deployed where the file names no others. */
export const STORE_SERVERS: Readonly<Record<StoreKind, StoreServer>> = {
  postgres: {
    summary: 'Users, orders, payments, values and logs',
    image: 'postgres:15.14-bookworm',
    user: 999,
    port: 5432,
    command: ['postgres', '-c', 'max_connections=300'],
    environment: {
      POSTGRES_USER: 'msvc',
      POSTGRES_DB: 'msvc',
      POSTGRES_PASSWORD_FILE: inSecrets('postgres-password'),
    },
    secret: 'postgres-password',
    data: '/var/lib/postgresql/data',
    scratch: ['/tmp', '/run/postgresql'],
    // by TCP: during initdb the image's server listens on the socket already
    alive: ['pg_isready', '--quiet', '--host', '127.0.0.1'],
    ready: ['pg_isready', '--quiet', '--host', '127.0.0.1', '--username', 'msvc', '--dbname', 'msvc'],
    memoryMb: 1_024,
    processors: 2,
    disk: '10Gi',
  },
  redis: {
    summary: 'Registrations and rate limits',
    image: 'redis:7.4-bookworm',
    user: 999,
    port: 6379,
    command: ['redis-server', inSecrets('redis.conf')],
    environment: {},
    secret: 'redis.conf',
    data: '/data',
    scratch: ['/tmp'],
    alive: PING.split(' '),
    ready: ['sh', '-c', `${PING} | grep -q PONG`],
    memoryMb: 512,
    processors: 1,
    disk: '1Gi',
  },
  nats: {
    summary: 'Messages',
    image: 'nats:2.11-alpine',
    user: CONTAINER_USER,
    port: 4222,
    command: ['nats-server', '--config', inSecrets('nats.conf')],
    environment: {},
    secret: 'nats.conf',
    data: '/data',
    scratch: ['/tmp'],
    alive: ['wget', '-qO', '/dev/null', `${NATS_HEALTH}?js-server-only=true`],
    ready: ['wget', '-qO', '/dev/null', `${NATS_HEALTH}?js-enabled-only=true`],
    memoryMb: 512,
    processors: 1,
    disk: '10Gi',
  },
}
