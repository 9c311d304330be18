import { posix } from 'node:path'
import { settingVariable } from '../../../kit/config/setting-variables.ts'
import { APP, CONFIG_FILE, PROGRAM, roleEnvironment, roleSecrets, serviceEnvironment } from '../container.ts'
import type { Deployment, RolePart, ServicePart } from '../deployment.ts'
import { ownImage, serviceImage } from '../image-name.ts'
import { NAME, outsidePorts, policyOf } from './links.ts'
import { type Manifest, manifestFile } from './manifests.ts'
import { accountOf, labelsOf, POD_REMARKS, podOf, serviceOf } from './pods.ts'

/** How many times its replicas a part may grow to. */
const GROWTH = 4
/** Processor time of a pod, of the one processor that it may take, beyond which a part gets another replica. Not a share of what it asks for, which is little. */
const BUSY = '700m'

/** All of a role: the pods, how they are called, and by whom. */
export function roleFile(deployment: Deployment, role: RolePart): string {
  const { name, summary, port, isEntrance, stores } = role
  const pod = podOf(deployment, {
    name,
    image: ownImage(deployment.version),
    args: ['serve', name, ...(deployment.file === undefined ? [] : ['--config', CONFIG_FILE])],
    environment: roleEnvironment(deployment, role),
    addressVariable: settingVariable([name, 'advertise']),
    secrets: roleSecrets(deployment, role),
    port,
    probes: roleProbes(),
    memoryMb: role.memoryMb,
    config: deployment.file === undefined ? undefined : { mountPath: posix.dirname(CONFIG_FILE) },
    drainSeconds: deployment.drainSeconds,
  })
  const outside = deployment.stores.flatMap(({ kind, elsewhere }) =>
    elsewhere !== undefined && stores.includes(kind) ? outsidePorts(kind, elsewhere) : [],
  )
  const reach = isEntrance ? 'all' : 'links'
  return manifestFile(
    `${name}: ${summary}`,
    [
      ...running(deployment, role, pod),
      serviceOf(deployment, name, { port, headless: name === 'registry' }),
      policyOf(deployment, { name, port, reach, outside }),
    ],
    { ...POD_REMARKS, 'Service.clusterIP': 'headless: the name resolves to every pod' },
  )
}

/** All of a service of the user's. */
export function serviceFile(deployment: Deployment, service: ServicePart): string {
  const { name, own } = service
  const port = portOf(service)
  const pod = podOf(deployment, {
    name,
    image: serviceImage({ ...deployment, image: ownImage(deployment.version) }, name),
    args: [],
    environment: serviceEnvironment(deployment, service),
    addressVariable: 'MSVC_UP_ADVERTISE',
    secrets: { MSVC_KEY_FILE: 'signing-key' },
    variables: service.variables.map(({ name: variable, hasDefault }) => ({
      name: variable,
      valueFrom: {
        secretKeyRef: { name: variablesSecret(name), key: variable, ...(hasDefault && { optional: true }) },
      },
    })),
    port,
    probes: serviceProbes(service),
    memoryMb: service.memoryMb,
    // beside its sources, from where its folder is told
    config: { mountPath: `${APP}/msvc.yaml`, subPath: 'msvc.yaml' },
    drainSeconds: Math.ceil(own.stop.grace_ms / 1_000),
    reaps: true,
  })
  return manifestFile(
    `${name}, a service of yours, run by msvc up --only`,
    [
      ...running(deployment, service, pod),
      ...(port === undefined ? [] : [serviceOf(deployment, name, { port })]),
      policyOf(deployment, { name, port: undefined, outside: 'all' }),
    ],
    {
      ...POD_REMARKS,
      'Deployment.shareProcessNamespace': 'so that orphaned processes are reaped',
      'NetworkPolicy.egress': "unrestricted; the platform's stores accept roles only",
    },
  )
}

/** The Secret by which a service gets the variables that its `env` is filled in with: a person makes it. */
export function variablesSecret(service: string): string {
  return `${service}-env`
}

/** The port that its file gives it; another would be any free one. */
function portOf({ own: { ready, port } }: ServicePart): number | undefined {
  return ready.by === 'none' ? undefined : port
}

/** What keeps so many pods running; where there are several, also more of them when they are busy. */
function running(
  deployment: Deployment,
  { name, replicas }: RolePart | ServicePart,
  pod: unknown,
): readonly Manifest[] {
  const scales = replicas > 1
  const labels = labelsOf(deployment, name)
  return [
    accountOf(name),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, labels },
      spec: {
        ...(!scales && { replicas }),
        revisionHistoryLimit: 3,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        selector: { matchLabels: { [NAME]: name } },
        template: pod,
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name },
      spec: { maxUnavailable: 1, selector: { matchLabels: { [NAME]: name } } },
    },
    ...(scales ? [autoscaler(name, replicas)] : []),
  ]
}

function autoscaler(name: string, replicas: number): Manifest {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: replicas,
      maxReplicas: replicas * GROWTH,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: BUSY } } }],
    },
  }
}

/** Asked by the pod's address, which token mode takes as a Host; they want no token. */
function roleProbes() {
  const get = (path: string) => ({ httpGet: { path, port: 'http' } })
  return {
    startupProbe: { ...get('/livez'), periodSeconds: 1, failureThreshold: 300 },
    livenessProbe: { ...get('/livez'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
    readinessProbe: { ...get('/readyz'), periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 2 },
  }
}

/** What answers for a service is its own program where it can be asked; else msvc, which runs it. */
function serviceProbes(service: ServicePart) {
  const { ready } = service.own
  const port = portOf(service)
  const self = { exec: { command: [PROGRAM, 'health', '--self', '--quiet'] }, timeoutSeconds: 10 }
  const asked =
    port !== undefined && ready.by === 'http'
      ? { httpGet: { path: ready.path, port: 'http' }, periodSeconds: 5 }
      : port !== undefined
        ? { tcpSocket: { port: 'http' }, periodSeconds: 5 }
        : { ...self, periodSeconds: 30 }
  return {
    startupProbe: { ...asked, periodSeconds: 2, failureThreshold: 150 },
    // msvc starts its program again by itself; this is for msvc
    livenessProbe: { ...self, periodSeconds: 60, failureThreshold: 5 },
    readinessProbe: asked,
  }
}
