import { SECRETS_FOLDER } from '../container.ts'
import type { Deployment, StoreKind } from '../deployment.ts'
import { STORE_SERVERS, type StoreServer } from '../store-servers.ts'
import { NAME, policyOf } from './links.ts'
import { manifestFile } from './manifests.ts'
import { accountOf, CONTAINER_SECURITY, labelsOf, podSecurity, resources, secretVolume, serviceOf } from './pods.ts'

/** Seconds that a store has to write all down, until it is killed. */
const GRACE = 60
/** Of a volume of its own the root may have a `lost+found`, which the database refuses. */
const PGDATA = { PGDATA: `${STORE_SERVERS.postgres.data}/pgdata` }
/** What PostgreSQL shares among its processes. */
const SHARED_MEMORY = '/dev/shm'

/** All of a store: one pod with a volume of its own. */
export function storeFile(deployment: Deployment, kind: StoreKind): string {
  const server = STORE_SERVERS[kind]
  const labels = labelsOf(deployment, kind)
  return manifestFile(
    `${kind}: ${server.summary}. One pod, no backups: for more use a managed one, and set its address in msvc.yaml`,
    [
      accountOf(kind),
      {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: kind, labels },
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
      serviceOf(deployment, kind, { port: server.port, portName: 'store', headless: true }),
      policyOf(deployment, { name: kind, port: server.port }),
    ],
    {
      'NetworkPolicy.ingress': 'only the roles that use it',
      'StatefulSet.storage': 'resize it before it is full',
      'StatefulSet.defaultMode': '0440 (octal)',
    },
  )
}

function storePod(kind: StoreKind, server: StoreServer) {
  const exec = (command: readonly string[]) => ({ exec: { command }, timeoutSeconds: 5 })
  const places = [...server.scratch, ...(kind === 'postgres' ? [SHARED_MEMORY] : [])]
  const scratch = places.map((path) => ({ name: path.slice(1).replaceAll('/', '-'), mountPath: path }))
  const environment = Object.entries({ ...server.environment, ...(kind === 'postgres' && PGDATA) }).map(
    ([name, value]) => ({ name, value }),
  )
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
        args: server.command,
        ...(environment.length > 0 && { env: environment }),
        ports: [{ name: 'store', containerPort: server.port }],
        startupProbe: { ...exec(server.ready), periodSeconds: 2, failureThreshold: 150 },
        livenessProbe: { ...exec(server.alive), periodSeconds: 30, failureThreshold: 5 },
        readinessProbe: { ...exec(server.ready), periodSeconds: 10 },
        resources: resources(server.memoryMb, server.processors),
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [
          { name: 'data', mountPath: server.data },
          ...scratch,
          { name: 'secrets', mountPath: SECRETS_FOLDER, readOnly: true },
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
