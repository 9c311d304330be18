import { CONTAINER_USER, memoryText, SECRETS_FOLDER, VOLUME } from '../container.ts'
import { BEYOND_DRAIN, type Deployment } from '../deployment.ts'
import { NAME } from './links.ts'
import type { Manifest, Remarks } from './manifests.ts'

/** Seconds between a pod's leaving the lists of those who call it and its SIGTERM. */
const LEAVING_SECONDS = 5
/** Megabytes that /data and what a container writes besides may take. */
const DISK = { requests: '64Mi', limits: '1Gi' }

/** The Secret with the user's file, which may hold passwords. */
export const CONFIG_SECRET = 'msvc-config'

/** Why a pod is as it is. */
export const POD_REMARKS: Remarks = {
  'Deployment.enableServiceLinks': 'else Kubernetes sets USER_PORT and the like, which look like settings',
  'Deployment.preStop': 'until callers know; needs Kubernetes 1.30, as the image has no shell to sleep in',
  'Deployment.terminationGracePeriodSeconds': 'preStop, then the requests under way, then a margin',
  'Deployment.emptyDir': 'per pod: lasting data is in the stores',
  'Deployment.startupProbe': '5 minutes for its stores to come up, and for migrations',
  'Deployment.defaultMode': '0440 (octal)',
  'PodDisruptionBudget.maxUnavailable': 'a drain of nodes evicts one of these pods at a time',
}

/** What a pod is made by. */
export interface PodPlan {
  readonly name: string
  readonly image: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** The variable that takes the pod's own address. */
  readonly addressVariable: string
  /** Names of Secrets by the variable that names the file of each. */
  readonly secrets: Readonly<Record<string, string>>
  /** Variables that come from Secrets besides. Default: none */
  readonly variables?: readonly unknown[]
  readonly port: number | undefined
  readonly probes: Readonly<Record<string, unknown>>
  readonly memoryMb: number
  /** Where msvc.yaml is mounted; undefined where there is none. */
  readonly config: { readonly mountPath: string; readonly subPath?: string } | undefined
  readonly drainSeconds: number
  /** Whether processes are left that somebody has to reap. Default false. */
  readonly reaps?: boolean
}

/** Labels of a part and of its pods. */
export function labelsOf({ name: project }: Pick<Deployment, 'name'>, name: string) {
  return { [NAME]: name, 'app.kubernetes.io/part-of': project }
}

/** A pod without rights that can be taken from it. */
export function podOf(deployment: Deployment, plan: PodPlan) {
  const { name, image, args, environment, addressVariable, secrets, port, probes, memoryMb, config } = plan
  const told = [
    { name: addressVariable, valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ...Object.entries(environment).map(([variable, value]) => ({ name: variable, value })),
    ...Object.entries(secrets).map(([variable, file]) => ({ name: variable, value: `${SECRETS_FOLDER}/${file}` })),
    ...(plan.variables ?? []),
  ]
  return {
    metadata: { labels: labelsOf(deployment, name) },
    spec: {
      serviceAccountName: name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(plan.reaps && { shareProcessNamespace: true }),
      terminationGracePeriodSeconds: LEAVING_SECONDS + plan.drainSeconds + BEYOND_DRAIN,
      securityContext: podSecurity(CONTAINER_USER),
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: { [NAME]: name } },
        },
      ],
      containers: [
        {
          name,
          image,
          imagePullPolicy: 'IfNotPresent',
          ...(args.length > 0 && { args }),
          env: told,
          ...(port !== undefined && { ports: [{ name: 'http', containerPort: port }] }),
          ...probes,
          lifecycle: { preStop: { sleep: { seconds: LEAVING_SECONDS } } },
          resources: resources(memoryMb),
          securityContext: CONTAINER_SECURITY,
          volumeMounts: [
            { name: 'data', mountPath: VOLUME },
            { name: 'tmp', mountPath: '/tmp' },
            { name: 'secrets', mountPath: SECRETS_FOLDER, readOnly: true },
            ...(config === undefined ? [] : [{ name: 'config', ...config, readOnly: true }]),
          ],
        },
      ],
      volumes: [
        { name: 'data', emptyDir: { sizeLimit: DISK.limits } },
        { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
        secretVolume([...new Set(Object.values(secrets))]),
        ...(config === undefined
          ? []
          : [{ name: 'config', secret: { secretName: CONFIG_SECRET, defaultMode: 0o440 } }]),
      ],
    },
  }
}

/** A volume with some Secrets, a file each, for the group of the pod. */
export function secretVolume(names: readonly string[]) {
  const sources = names.map((name) => ({ secret: { name } }))
  return { name: 'secrets', projected: { defaultMode: 0o440, sources } }
}

/** The profile `restricted` of the Pod Security Standards asks for it. @param user by number */
export function podSecurity(user: number) {
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  }
}

/** No right of root's, no way to get one, and nothing to be written but volumes. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
}

/** Half of the memory that it may have is what it wants. @param cpu at most, in processors. Default 1 */
export function resources(memoryMb: number, cpu = 1) {
  return {
    requests: { cpu: '100m', memory: memoryText(memoryMb / 2, 'Mi', 'Gi'), 'ephemeral-storage': DISK.requests },
    limits: { cpu: String(cpu), memory: memoryText(memoryMb, 'Mi', 'Gi'), 'ephemeral-storage': DISK.limits },
  }
}

/** An account of its own, that may do nothing in the cluster. */
export function accountOf(name: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name },
    automountServiceAccountToken: false,
  }
}

/** A port of a Service: one of its pods' by name. */
interface ServicePort {
  readonly port: number
  /** Default: `http` */
  readonly portName?: string
  /** Whether the name of the Service stands for the pods' own addresses. Default false. */
  readonly headless?: boolean
}

/** Its name among those in the namespace. */
export function serviceOf(
  deployment: Deployment,
  name: string,
  { port, portName = 'http', headless = false }: ServicePort,
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: labelsOf(deployment, name) },
    spec: {
      ...(headless && { clusterIP: 'None' }),
      selector: { [NAME]: name },
      ports: [{ name: portName, port, targetPort: portName }],
    },
  }
}
