import * as apps from 'kubernetes-models/apps/v1'
import * as autoscaling from 'kubernetes-models/autoscaling/v2'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as policy from 'kubernetes-models/policy/v1'
import * as core from 'kubernetes-models/v1'
import { parse, parseAllDocuments } from 'yaml'
import * as z from 'zod'
import type { DeployFile } from '../deployment.ts'

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

const Labels = z.record(z.string(), z.string())
const Selector = z.object({
  matchLabels: Labels.default({}),
  matchExpressions: z.array(z.object({ values: z.array(z.string()) })).default([]),
})
const Peer = z.object({ podSelector: Selector.optional() })
const Port = z.object({ port: z.number() })
const Rule = z.object({ from: z.array(Peer).optional(), to: z.array(Peer).optional(), ports: z.array(Port).optional() })
const Pod = z.object({
  metadata: z.object({ labels: Labels }),
  spec: z.object({
    serviceAccountName: z.string(),
    automountServiceAccountToken: z.literal(false),
    enableServiceLinks: z.literal(false),
    terminationGracePeriodSeconds: z.number(),
    securityContext: z.object({
      runAsNonRoot: z.literal(true),
      runAsUser: z.number().min(1),
      seccompProfile: z.object({ type: z.literal('RuntimeDefault') }),
    }),
    containers: z.tuple([
      z.object({
        image: z.string().regex(/:(?!latest$)[\w.-]+$/),
        env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })).default([]),
        ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).default([]),
        startupProbe: z.looseObject({}),
        livenessProbe: z.looseObject({}),
        readinessProbe: z.looseObject({}),
        lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }).optional(),
        resources: z.object({ requests: Labels, limits: Labels }),
        securityContext: z.object({
          allowPrivilegeEscalation: z.literal(false),
          readOnlyRootFilesystem: z.literal(true),
          capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
        }),
        volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
      }),
    ]),
    volumes: z.array(
      z.looseObject({
        name: z.string(),
        secret: z.object({ secretName: z.string() }).optional(),
        projected: z.object({ sources: z.array(z.object({ secret: z.object({ name: z.string() }) })) }).optional(),
      }),
    ),
  }),
})
const Workload = z.object({
  kind: z.enum(['Deployment', 'StatefulSet']),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    replicas: z.number().optional(),
    serviceName: z.string().optional(),
    selector: z.object({ matchLabels: Labels }),
    template: Pod,
    volumeClaimTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })).default([]),
  }),
})
const Policy = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    podSelector: z.object({ matchLabels: Labels.default({}) }),
    ingress: z.array(Rule).default([]),
    egress: z.array(Rule).default([]),
  }),
})
const Service = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    clusterIP: z.string().optional(),
    selector: Labels,
    ports: z.array(z.object({ port: z.number(), targetPort: z.string() })),
  }),
})
const Kustomization = z.object({
  resources: z.array(z.string()),
  images: z.array(z.object({ name: z.string(), newName: z.string(), newTag: z.string() })),
  secretGenerator: z.array(z.object({ name: z.string(), files: z.array(z.string()) })).default([]),
})
const Named = z.looseObject({ kind: z.string(), metadata: z.object({ name: z.string() }) })
const Scaler = z.object({ spec: z.object({ scaleTargetRef: z.object({ name: z.string() }) }) })

const NAME = 'app.kubernetes.io/name'

/** What a written kustomization holds, read from its YAML. */
export interface Cluster {
  readonly kustomization: z.infer<typeof Kustomization>
  readonly objects: readonly z.infer<typeof Named>[]
  readonly workloads: readonly z.infer<typeof Workload>[]
  readonly policies: readonly z.infer<typeof Policy>[]
  readonly services: readonly z.infer<typeof Service>[]
  /** Names of what is scaled by an autoscaler. */
  readonly scaled: readonly string[]
}

/** Reads what was written. Throws for what no cluster could read, and for pods with rights that they need not have. */
export function readCluster(files: readonly DeployFile[]): Cluster {
  const textOf = (path: string) => files.find((file) => file.path === path)?.text ?? ''
  const kustomization = Kustomization.parse(parse(textOf('kustomization.yaml')))
  const objects = kustomization.resources.flatMap((path) =>
    parseAllDocuments(textOf(path)).map((document) => Named.parse(document.toJS())),
  )
  const of = (...kinds: readonly string[]) => objects.filter(({ kind }) => kinds.includes(kind))
  return {
    kustomization,
    objects,
    workloads: of('Deployment', 'StatefulSet').map((object) => Workload.parse(object)),
    policies: of('NetworkPolicy').map((object) => Policy.parse(object)),
    services: of('Service').map((object) => Service.parse(object)),
    scaled: of('HorizontalPodAutoscaler').map((object) => Scaler.parse(object).spec.scaleTargetRef.name),
  }
}

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

/** What goes against rules such as kube-score's: what is named is there, and each pod has what it needs. */
export function clusterFaults(cluster: Cluster, files: readonly DeployFile[]): readonly string[] {
  const { kustomization, workloads, services, objects, scaled } = cluster
  const faults: string[] = []
  const demand = (holds: boolean, fault: string) => holds || faults.push(fault)
  const has = (kind: string, name: string) =>
    objects.some((object) => object.kind === kind && object.metadata.name === name)
  const paths = new Set(files.map(({ path }) => path))
  for (const path of [...kustomization.resources, ...kustomization.secretGenerator.flatMap((one) => one.files)])
    demand(paths.has(path) && !path.includes('..'), `${path} is not there`)
  const names = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
  demand(names.size === objects.length, 'two objects have one name')
  for (const { kind, metadata, spec } of workloads) {
    const { name } = metadata
    const pod = spec.template.spec
    const [container] = pod.containers
    const { labels } = spec.template.metadata
    demand(
      Object.entries(spec.selector.matchLabels).every(([key, value]) => labels[key] === value),
      `${name}: its selector misses its pods`,
    )
    demand(has('ServiceAccount', pod.serviceAccountName), `${name}: no account`)
    demand(has('NetworkPolicy', name), `${name}: no policy`)
    demand(kind === 'StatefulSet' || has('PodDisruptionBudget', name), `${name}: no budget`)
    demand(
      (spec.replicas === undefined) === scaled.includes(name),
      `${name}: both a number of replicas and an autoscaler, or none`,
    )
    demand(
      kind === 'Deployment' ||
        services.some((one) => one.metadata.name === spec.serviceName && one.spec.clusterIP === 'None'),
      `${name}: no headless service`,
    )
    demand(
      JSON.stringify(container.livenessProbe) !== JSON.stringify(container.readinessProbe),
      `${name}: one probe for both`,
    )
    const sleep = container.lifecycle?.preStop.sleep.seconds ?? 0
    demand(pod.terminationGracePeriodSeconds > sleep + 10, `${name}: killed while it drains`)
    for (const what of ['cpu', 'memory', 'ephemeral-storage'])
      demand(what in container.resources.limits && what in container.resources.requests, `${name}: no ${what}`)
    const volumes = new Set([
      ...pod.volumes.map((one) => one.name),
      ...spec.volumeClaimTemplates.map((one) => one.metadata.name),
    ])
    const mounts = container.volumeMounts.map((one) => one.name)
    demand(
      mounts.every((one) => volumes.has(one)) && mounts.length === volumes.size,
      `${name}: mounts and volumes differ`,
    )
    const wanted = pod.volumes.flatMap((one) => one.projected?.sources.map(({ secret }) => secret.name) ?? [])
    for (const secret of wanted)
      demand(
        kustomization.secretGenerator.some((one) => one.name === secret && one.files[0] === `secrets/${secret}`),
        `${name}: no Secret ${secret}`,
      )
    for (const { name: variable, value = '' } of container.env)
      if (value.startsWith('/run/secrets/'))
        demand(
          wanted.includes(value.slice('/run/secrets/'.length)),
          `${name}: ${variable} names a file that is not mounted`,
        )
    for (const { secret } of pod.volumes)
      if (secret)
        demand(
          kustomization.secretGenerator.some((one) => one.name === secret.secretName),
          `${name}: no Secret ${secret.secretName}`,
        )
    const image = container.image.slice(0, container.image.lastIndexOf(':'))
    demand(
      image.includes('/') || kind === 'StatefulSet' || kustomization.images.some((one) => one.name === image),
      `${name}: its image is not listed`,
    )
  }
  for (const { metadata, spec } of services)
    for (const { targetPort } of spec.ports) {
      const target = workloads.find((one) => one.spec.template.metadata.labels[NAME] === spec.selector[NAME])
      demand(
        target?.spec.template.spec.containers[0].ports.some((one) => one.name === targetPort) ?? false,
        `Service ${metadata.name} leads nowhere`,
      )
    }
  return [...faults, ...oneSided(cluster)]
}

/** Whether a way between two parts is open: who calls may leave, and who is called lets in. */
export function isOpen({ policies }: Cluster, caller: string, called: string, port: number): boolean {
  const allows = (rules: readonly z.infer<typeof Rule>[], side: 'from' | 'to', name: string) =>
    rules.some(
      (rule) =>
        (rule[side] === undefined || rule[side]?.some(({ podSelector }) => selects(podSelector, name))) &&
        (rule.ports === undefined || rule.ports.some((one) => one.port === port)),
    )
  const policyOf = (name: string) => policies.find(({ spec }) => spec.podSelector.matchLabels[NAME] === name)
  return (
    allows(policyOf(caller)?.spec.egress ?? [], 'to', called) &&
    allows(policyOf(called)?.spec.ingress ?? [], 'from', caller)
  )
}

function selects(selector: z.infer<typeof Selector> | undefined, name: string): boolean {
  if (!selector) return false
  return selector.matchLabels[NAME] === name || selector.matchExpressions.some(({ values }) => values.includes(name))
}

/** Ways that are open on one side alone: of no use, or a hole. */
function oneSided({ policies }: Cluster): readonly string[] {
  const named = policies.flatMap((one) => {
    const name = one.spec.podSelector.matchLabels[NAME]
    return name === undefined ? [] : [{ name, ...one.spec }]
  })
  return named.flatMap(({ name, egress, ingress }) => [
    ...named.flatMap((other) => {
      const leaves = egress.some((rule) => rule.to?.some(({ podSelector }) => selects(podSelector, other.name)))
      const enters = other.ingress.some(
        (rule) => rule.from === undefined || rule.from.some(({ podSelector }) => selects(podSelector, name)),
      )
      return leaves && !enters ? [`${name} may call ${other.name}, which lets it not in`] : []
    }),
    ...ingress.flatMap((rule) =>
      (rule.from ?? []).flatMap(({ podSelector }) =>
        named
          .filter((other) => selects(podSelector, other.name))
          .filter(
            (other) =>
              !other.egress.some(
                (way) =>
                  (way.to === undefined && way.ports === undefined) ||
                  way.to?.some((peer) => selects(peer.podSelector, name)),
              ),
          )
          .map((other) => `${name} lets ${other.name} in, which may not leave for it`),
      ),
    ),
  ])
}
