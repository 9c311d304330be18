import type { StoreKind, StorePart } from '../deployment.ts'

const SERVICES: Readonly<Record<StoreKind, string>> = {
  postgres: `
  # users, orders, payments, values and logs
  postgres:
    image: postgres:15.14-bookworm
    user: '999:999'
    environment:
      POSTGRES_USER: msvc
      POSTGRES_DB: msvc
      POSTGRES_PASSWORD_FILE: /run/secrets/postgres-password
    command: [postgres, -c, max_connections=300]
    secrets: [postgres-password]
    volumes: ['postgres:/var/lib/postgresql/data']
    tmpfs: [/tmp, /run/postgresql]
    shm_size: 128m
    # finishes at once, without waiting for connections to end
    stop_signal: SIGINT
    healthcheck:
      # by TCP: while the database is made a server listens on the socket already
      test: [CMD, pg_isready, --quiet, --host, 127.0.0.1, --username, msvc, --dbname, msvc]
      <<: *often
    <<: *store
    deploy:
      resources: { limits: { cpus: '2.0', memory: 1G, pids: 400 } }
`,
  redis: `
  # who is registered where, and limits
  redis:
    image: redis:7.4-bookworm
    user: '999:999'
    command: [redis-server, /run/secrets/redis.conf]
    secrets: [redis.conf]
    volumes: ['redis:/data']
    healthcheck:
      test: [CMD-SHELL, 'redis-cli --user health --pass none --no-auth-warning ping | grep -q PONG']
      <<: *often
    <<: *store
    deploy:
      resources: { limits: { cpus: '1.0', memory: 512M, pids: 64 } }
`,
  nats: `
  # messages
  nats:
    image: nats:2.11-alpine
    # root without a right of root's: the volume belongs to it
    command: [nats-server, --config, /run/secrets/nats.conf]
    secrets: [nats.conf]
    volumes: ['nats:/data']
    healthcheck:
      test: [CMD, wget, -qO, /dev/null, 'http://127.0.0.1:8222/healthz?js-enabled-only=true']
      <<: *often
    <<: *store
    deploy:
      resources: { limits: { cpus: '1.0', memory: 512M, pids: 64 } }
`,
}

/** What all stores say alike. */
export const SHARED_BY_STORES = `x-store: &store
  restart: unless-stopped
  stop_grace_period: 60s
  read_only: true
  cap_drop: [ALL]
  security_opt: ['no-new-privileges:true']
  networks: [stores]
  logging: *logging
x-often: &often { interval: 10s, timeout: 5s, retries: 5, start_period: 60s, start_interval: 1s }
`

/** A store as a service of compose. */
export function composeStore({ kind }: Pick<StorePart, 'kind'>): string {
  return SERVICES[kind]
}
