import type { Cluster, ClusterPolicy } from './cluster.ts'

/** By which a part's pods are selected. */
const NAME = 'app.kubernetes.io/name'
type Rule = ClusterPolicy['spec']['ingress'][number]
type Selector = NonNullable<NonNullable<Rule['from']>[number]['podSelector']>

/** Whether a way between two parts is open: who calls may leave, and who is called lets in. */
export function isOpen({ policies }: Cluster, caller: string, called: string, port: number): boolean {
  const allows = (rules: readonly Rule[], side: 'from' | 'to', name: string) =>
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

function selects(selector: Selector | undefined, name: string): boolean {
  if (!selector) return false
  return selector.matchLabels[NAME] === name || selector.matchExpressions.some(({ values }) => values.includes(name))
}

/** Ways that are open on one side alone: of no use, or a hole. */
export function oneSided({ policies }: Cluster): readonly string[] {
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
