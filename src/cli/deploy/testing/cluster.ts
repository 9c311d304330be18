import { parse, parseAllDocuments } from 'yaml'
import * as z from 'zod'
import type { DeployFile } from '../deployment.ts'

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
    policyTypes: z.array(z.string()),
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
const Scaler = z.object({
  spec: z.object({
    scaleTargetRef: z.object({ name: z.string() }),
    metrics: z.tuple([
      z.object({
        resource: z.object({ target: z.object({ type: z.literal('AverageValue'), averageValue: z.string() }) }),
      }),
    ]),
  }),
})

/** A Deployment or a StatefulSet, as far as its rules look at it. */
export type ClusterWorkload = z.infer<typeof Workload>
/** A NetworkPolicy. */
export type ClusterPolicy = z.infer<typeof Policy>

/** What a written kustomization holds, read from its YAML. */
export interface Cluster {
  readonly kustomization: z.infer<typeof Kustomization>
  readonly objects: readonly z.infer<typeof Named>[]
  readonly workloads: readonly ClusterWorkload[]
  readonly policies: readonly ClusterPolicy[]
  readonly services: readonly z.infer<typeof Service>[]
  /** Names of what is scaled by an autoscaler, with the processors that a pod takes then. */
  readonly scaled: ReadonlyMap<string, number>
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
    scaled: new Map(
      of('HorizontalPodAutoscaler').map((object) => {
        const { scaleTargetRef, metrics } = Scaler.parse(object).spec
        return [scaleTargetRef.name, processors(metrics[0].resource.target.averageValue)]
      }),
    ),
  }
}

/** An amount of processor time: `700m`, `1`. */
export function processors(text: string): number {
  return text.endsWith('m') ? Number(text.slice(0, -1)) / 1_000 : Number(text)
}
