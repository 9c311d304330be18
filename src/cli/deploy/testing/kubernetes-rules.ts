import * as apps from 'kubernetes-models/apps/v1'
import * as autoscaling from 'kubernetes-models/autoscaling/v2'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as policy from 'kubernetes-models/policy/v1'
import * as core from 'kubernetes-models/v1'
import type { DeployFile } from '../deployment.ts'
import { type Cluster, type ClusterWorkload, processors } from './cluster.ts'
import { oneSided } from './cluster-ways.ts'

/** What checks an object by the JSON Schema of its kind, and throws what is wrong with it. */
type Model = new (object: never) => { validate(): void }

const MODELS: Readonly<Record<string, Model>> = {
  Deployment: apps.Deployment,
  StatefulSet: apps.StatefulSet,
  HorizontalPodAutoscaler: autoscaling.HorizontalPodAutoscaler,
  NetworkPolicy: networking.NetworkPolicy,
  PodDisruptionBudget: policy.PodDisruptionBudget,
  Namespace: core.Namespace,
  Service: core.Service,
  ServiceAccount: core.ServiceAccount,
}

/** By which a part's pods are selected. */
const NAME = 'app.kubernetes.io/name'

/** What goes against the JSON Schemas of Kubernetes. */
export function schemaFaults({ objects }: Cluster): readonly string[] {
  return objects.flatMap((object) => {
    const Kind = MODELS[object.kind]
    if (!Kind) return [`${object.kind} is no kind that is known`]
    try {
      new Kind(object as never).validate()
      return []
    } catch (fault) {
      return [`${object.kind} ${object.metadata.name}: ${fault instanceof Error ? fault.message : fault}`]
    }
  })
}

/** A demand, and whether it holds. */
type Demand = readonly [holds: boolean, fault: string]

/** What goes against rules such as kube-score's: what is named is there, and each pod has what it needs. */
export function clusterFaults(cluster: Cluster, files: readonly DeployFile[]): readonly string[] {
  const demands = [
    ...filesAreThere(cluster, files),
    ...namesAreTheirOwn(cluster),
    ...nobodyTalksUnasked(cluster),
    ...cluster.workloads.flatMap((workload) => [
      ...hasItsObjects(cluster, workload),
      ...scales(cluster, workload),
      ...endsInOrder(workload),
      ...hasItsVolumes(cluster, workload),
    ]),
    ...servicesLeadSomewhere(cluster),
  ]
  return [...demands.flatMap(([holds, fault]) => (holds ? [] : [fault])), ...oneSided(cluster)]
}

function filesAreThere({ kustomization }: Cluster, files: readonly DeployFile[]): readonly Demand[] {
  const paths = new Set(files.map(({ path }) => path))
  const named = [...kustomization.resources, ...kustomization.secretGenerator.flatMap((one) => one.files)]
  return named.map((path) => [paths.has(path) && !path.includes('..'), `${path} is not there`])
}

function namesAreTheirOwn({ objects }: Cluster): readonly Demand[] {
  const names = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
  return [[names.size === objects.length, 'two objects have one name']]
}

/** Default deny, both ways. */
function nobodyTalksUnasked({ policies }: Cluster): readonly Demand[] {
  const denies = policies.some(
    ({ spec }) =>
      Object.keys(spec.podSelector.matchLabels).length === 0 &&
      spec.policyTypes.length === 2 &&
      spec.ingress.length + spec.egress.length === 0,
  )
  return [[denies, 'whom no policy names may talk to all']]
}

function hasItsObjects({ objects, services, kustomization }: Cluster, workload: ClusterWorkload): readonly Demand[] {
  const { kind, metadata, spec } = workload
  const { name } = metadata
  const { labels } = spec.template.metadata
  const [container] = spec.template.spec.containers
  const has = (what: string, called: string) =>
    objects.some((object) => object.kind === what && object.metadata.name === called)
  const isHeadless = services.some((one) => one.metadata.name === spec.serviceName && one.spec.clusterIP === 'None')
  const image = container.image.slice(0, container.image.lastIndexOf(':'))
  return [
    [
      Object.entries(spec.selector.matchLabels).every(([key, value]) => labels[key] === value),
      `${name}: its selector misses its pods`,
    ],
    [has('ServiceAccount', spec.template.spec.serviceAccountName), `${name}: no account`],
    [has('NetworkPolicy', name), `${name}: no policy`],
    [kind === 'StatefulSet' || has('PodDisruptionBudget', name), `${name}: no budget`],
    [kind === 'Deployment' || isHeadless, `${name}: no headless service`],
    [
      kind === 'StatefulSet' || kustomization.images.some((one) => one.name === image),
      `${name}: its image is not listed`,
    ],
  ]
}

function scales({ scaled }: Cluster, { metadata: { name }, spec }: ClusterWorkload): readonly Demand[] {
  const [{ resources }] = spec.template.spec.containers
  const busy = scaled.get(name)
  const most = processors(resources.limits.cpu ?? '')
  const kinds = ['cpu', 'memory', 'ephemeral-storage']
  return [
    ...kinds.map(
      (kind): Demand => [kind in resources.limits && kind in resources.requests, `${name}: no amount of ${kind}`],
    ),
    [
      (spec.replicas === undefined) === (busy !== undefined),
      `${name}: both a number of replicas and an autoscaler, or none`,
    ],
    // sooner it would grow under hardly any load, later never
    [busy === undefined || (busy >= most / 2 && busy < most), `${name}: grows at ${busy} of ${most} processors`],
  ]
}

function endsInOrder({ metadata: { name }, spec }: ClusterWorkload): readonly Demand[] {
  const [container] = spec.template.spec.containers
  const sleep = container.lifecycle?.preStop.sleep.seconds ?? 0
  return [
    [
      JSON.stringify(container.livenessProbe) !== JSON.stringify(container.readinessProbe),
      `${name}: one probe for both`,
    ],
    [spec.template.spec.terminationGracePeriodSeconds > sleep + 10, `${name}: killed while it drains`],
  ]
}

function hasItsVolumes({ kustomization }: Cluster, { metadata: { name }, spec }: ClusterWorkload): readonly Demand[] {
  const pod = spec.template.spec
  const [container] = pod.containers
  const volumes = new Set(
    [...pod.volumes, ...spec.volumeClaimTemplates.map((one) => one.metadata)].map((one) => one.name),
  )
  const mounts = container.volumeMounts.map((one) => one.name)
  const files = pod.volumes.flatMap((one) => one.projected?.sources.map(({ secret }) => secret.name) ?? [])
  const whole = pod.volumes.flatMap(({ secret }) => (secret ? [secret.secretName] : []))
  const told = container.env.flatMap(({ name: variable, value }) => {
    const file = /^\/run\/secrets\/(.+)$/.exec(value ?? '')?.[1]
    return file === undefined ? [] : [{ variable, file }]
  })
  const isMade = (secret: string, file?: string) =>
    kustomization.secretGenerator.some((one) => one.name === secret && (file === undefined || one.files[0] === file))
  return [
    [mounts.every((one) => volumes.has(one)) && mounts.length === volumes.size, `${name}: mounts and volumes differ`],
    ...files.map((secret): Demand => [isMade(secret, `secrets/${secret}`), `${name}: no Secret ${secret}`]),
    ...whole.map((secret): Demand => [isMade(secret), `${name}: no Secret ${secret}`]),
    ...told.map(
      ({ variable, file }): Demand => [files.includes(file), `${name}: ${variable} names a file that is not mounted`],
    ),
  ]
}

function servicesLeadSomewhere({ services, workloads }: Cluster): readonly Demand[] {
  return services.flatMap(({ metadata, spec }) => {
    const target = workloads.find((one) => one.spec.template.metadata.labels[NAME] === spec.selector[NAME])
    const ports = target?.spec.template.spec.containers[0].ports.map((one) => one.name) ?? []
    return spec.ports.map(
      ({ targetPort }): Demand => [ports.includes(targetPort), `Service ${metadata.name} leads nowhere`],
    )
  })
}
