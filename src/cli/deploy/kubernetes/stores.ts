import type { Deployment, StoreKind } from '../deployment.ts'
import { NAME, policyOf } from './links.ts'
import { type Manifest, manifestFile } from './manifests.ts'
import { accountOf, CONTAINER_SECURITY, labelsOf, podSecurity, resources, secretVolume } from './pods.ts'

/** A server that keeps what roles agree in, as its image wants it. */
interface StoreServer {
  readonly summary: string
  readonly image: string
  /** By number. */
  readonly user: number
  readonly port: number
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly secret: string
  /** Where its volume is, and what else it writes to. */
  readonly data: string
  readonly scratch: readonly string[]
  readonly alive: readonly string[]
  readonly ready: readonly string[]
  readonly memoryMb: number
  readonly disk: string
}

const REDIS_PING = 'redis-cli --user health --pass none --no-auth-warning ping | grep -q PONG'
const NATS_HEALTH = 'http://127.0.0.1:8222/healthz'
/** Seconds that a store has to write all down, until it is killed. */
const GRACE = 60

const SERVERS: Readonly<Record<StoreKind, StoreServer>> = {
  postgres: {
    summary: 'users, orders, payments, values and logs',
    image: 'postgres:15.14-bookworm',
    user: 999,
    port: 5432,
    args: ['postgres', '-c', 'max_connections=300'],
    environment: {
      POSTGRES_USER: 'msvc',
      POSTGRES_DB: 'msvc',
      POSTGRES_PASSWORD_FILE: '/run/secrets/postgres-password',
      PGDATA: '/var/lib/postgresql/data/pgdata',
    },
    secret: 'postgres-password',
    data: '/var/lib/postgresql/data',
    scratch: ['/tmp', '/run/postgresql', '/dev/shm'],
    // by TCP: while the database is made a server listens on the socket already
    alive: ['pg_isready', '--quiet', '--host', '127.0.0.1'],
    ready: ['pg_isready', '--quiet', '--host', '127.0.0.1', '--username', 'msvc', '--dbname', 'msvc'],
    memoryMb: 1_024,
    disk: '10Gi',
  },
  redis: {
    summary: 'who is registered where, and limits',
    image: 'redis:7.4-bookworm',
    user: 999,
    port: 6379,
    args: ['redis-server', '/run/secrets/redis.conf'],
    environment: {},
    secret: 'redis.conf',
    data: '/data',
    scratch: ['/tmp'],
    alive: ['redis-cli', '--user', 'health', '--pass', 'none', '--no-auth-warning', 'ping'],
    ready: ['sh', '-c', REDIS_PING],
    memoryMb: 512,
    disk: '1Gi',
  },
  nats: {
    summary: 'messages',
    image: 'nats:2.11-alpine',
    user: 10_001,
    port: 4222,
    args: ['nats-server', '--config', '/run/secrets/nats.conf'],
    environment: {},
    secret: 'nats.conf',
    data: '/data',
    scratch: ['/tmp'],
    alive: ['wget', '--quiet', '--output-document', '/dev/null', `${NATS_HEALTH}?js-server-only=true`],
    ready: ['wget', '--quiet', '--output-document', '/dev/null', `${NATS_HEALTH}?js-enabled-only=true`],
    memoryMb: 512,
    disk: '10Gi',
  },
}

/** All of a store: one pod with a volume of its own. */
export function storeFile(deployment: Deployment, kind: StoreKind): string {
  const server = SERVERS[kind]
  const labels = labelsOf(deployment, kind)
  return manifestFile(
    `${kind}: ${server.summary}. One pod: for more of it, or for backups, use your provider's, and set its address in msvc.yaml`,
    [
      accountOf(kind),
      {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: kind, labels } as Manifest['metadata'],
        spec: {
          serviceName: kind,
          replicas: 1,
          selector: { matchLabels: { [NAME]: kind } },
          template: { metadata: { labels }, spec: storePod(kind, server) },
          volumeClaimTemplates: [
            {
              metadata: { name: 'data' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: server.disk } } },
            },
          ],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: kind, labels } as Manifest['metadata'],
        spec: {
          clusterIP: 'None',
          selector: { [NAME]: kind },
          ports: [{ name: 'store', port: server.port, targetPort: 'store' }],
        },
      },
      policyOf(deployment, { name: kind, port: server.port }),
    ],
    {
      'NetworkPolicy.ingress': 'those that keep something there, and nobody else',
      'StatefulSet.storage': 'raise it before it is full',
      'StatefulSet.defaultMode': '0440 (octal)',
    },
  )
}

function storePod(kind: StoreKind, server: StoreServer) {
  const exec = (command: readonly string[]) => ({ exec: { command }, timeoutSeconds: 5 })
  const scratch = server.scratch.map((path) => ({ name: path.slice(1).replaceAll('/', '-'), mountPath: path }))
  const environment = Object.entries(server.environment).map(([name, value]) => ({ name, value }))
  return {
    serviceAccountName: kind,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE,
    securityContext: podSecurity(server.user),
    containers: [
      {
        name: kind,
        image: server.image,
        imagePullPolicy: 'IfNotPresent',
        args: server.args,
        ...(environment.length > 0 && { env: environment }),
        ports: [{ name: 'store', containerPort: server.port }],
        startupProbe: { ...exec(server.ready), periodSeconds: 2, failureThreshold: 150 },
        livenessProbe: { ...exec(server.alive), periodSeconds: 30, failureThreshold: 5 },
        readinessProbe: { ...exec(server.ready), periodSeconds: 10 },
        resources: resources(server.memoryMb),
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [
          { name: 'data', mountPath: server.data },
          ...scratch,
          { name: 'secrets', mountPath: '/run/secrets', readOnly: true },
        ],
      },
    ],
    volumes: [
      ...scratch.map(({ name }) => ({ name, emptyDir: { sizeLimit: '128Mi', ...(name === 'dev-shm' && MEMORY) } })),
      secretVolume([server.secret]),
    ],
  }
}

const MEMORY = { medium: 'Memory' }
