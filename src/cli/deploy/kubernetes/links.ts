import type { Deployment, StoreKind } from '../deployment.ts'
import { STORE_SERVERS } from '../store-servers.ts'
import type { Manifest } from './manifests.ts'

/** One that calls, and one that is called, by name. */
type Link = readonly [caller: string, called: string]

/** Registered names of what every role and service calls: who is where, what values hold, where entries go. */
const CALLED_BY_ALL: ReadonlySet<string> = new Set(['registry', 'config-server', 'log-server'])
/** By which a part's pods are known. */
export const NAME = 'app.kubernetes.io/name'

/**
 * Who may call whom: each role what it needs and what all call, the registry and the gateway every part, since one looks after them and routes of the other may
 * name any; the broker the services that it pushes to; these all but the stores; and a store those who keep something there.
 */
function linksOf({ roles, services, stores }: Deployment): readonly Link[] {
  const parts = [...roles, ...services]
  const shared = roles.filter(({ service }) => CALLED_BY_ALL.has(service)).map(({ name }) => name)
  const called = new Map(parts.map(({ name, needs }) => [name, new Set([...shared, ...needs])]))
  const all = parts.map(({ name }) => name)
  const own = services.map(({ name }) => name)
  for (const { name, isEntrance } of roles) {
    if (isEntrance || name === 'registry') for (const part of all) called.get(name)?.add(part)
    if (name.startsWith('broker')) for (const service of own) called.get(name)?.add(service)
  }
  for (const service of own) for (const part of all) called.get(service)?.add(part)
  const here = stores.filter(({ elsewhere }) => elsewhere === undefined)
  return [
    ...[...called].flatMap(([caller, names]) =>
      [...names].filter((name) => name !== caller && called.has(name)).map((name): Link => [caller, name]),
    ),
    ...here.flatMap(({ kind }) =>
      roles.filter((role) => role.stores.includes(kind)).map(({ name }): Link => [name, kind]),
    ),
  ]
}

/** Default deny, both ways, but for DNS; what else is allowed stands with each part. No service of the user's has a dot in its name, as these have. */
export function defaultPolicies(): readonly Manifest[] {
  const dns = { protocols: ['UDP', 'TCP'], port: 53 }
  return [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'default.deny' },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'default.dns' },
      spec: {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [
          {
            to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }],
            ports: dns.protocols.map((protocol) => ({ protocol, port: dns.port })),
          },
        ],
      },
    },
  ]
}

/**
 * Whom a part may talk to, and who to it.
 * @param port where it listens; undefined for a service, which registers a port of its choice, and has doors besides
 * @param reach from where it may be called besides: `all` for what people outside call
 * @param outside ports beyond the cluster that it may call: none, some, or `all`
 */
export function policyOf(deployment: Deployment, { name, port, reach = 'links', outside = [] }: Reach): Manifest {
  const links = linksOf(deployment)
  const portOf = portsOf(deployment)
  const callers = links.filter(([, called]) => called === name).map(([caller]) => caller)
  const ports = port === undefined ? {} : { ports: [tcp(port)] }
  const isCalled = reach === 'all' || callers.length > 0
  const ingress = isCalled ? [{ ...(reach === 'links' && { from: [podsNamed(callers)] }), ...ports }] : []
  const called = links.filter(([caller]) => caller === name).map(([, to]) => to)
  const egress = called.map((to) => {
    const at = portOf.get(to)
    return { to: [podsNamed([to])], ...(at !== undefined && { ports: [tcp(at)] }) }
  })
  const beyond = outside === 'all' ? [{}] : outside.length === 0 ? [] : [{ ports: outside.map(tcp) }]
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name },
    spec: {
      podSelector: { matchLabels: { [NAME]: name } },
      policyTypes: ['Ingress', 'Egress'],
      ingress,
      egress: outside === 'all' ? beyond : [...egress, ...beyond],
    },
  }
}

/** What is said of a part's way to others. */
interface Reach {
  readonly name: string
  readonly port: number | undefined
  readonly reach?: 'links' | 'all'
  readonly outside?: readonly number[] | 'all'
}

const tcp = (port: number) => ({ protocol: 'TCP', port })

function podsNamed(names: readonly string[]) {
  const [only] = names
  if (names.length === 1 && only !== undefined) return { podSelector: { matchLabels: { [NAME]: only } } }
  return { podSelector: { matchExpressions: [{ key: NAME, operator: 'In', values: names }] } }
}

function portsOf({ roles, stores }: Deployment): ReadonlyMap<string, number> {
  return new Map([
    ...roles.map(({ name, port }): [string, number] => [name, port]),
    ...stores.map(({ kind }): [string, number] => [kind, STORE_SERVERS[kind].port]),
  ])
}

/** Ports of a server that runs elsewhere, several where its address names several hosts. */
export function outsidePorts(kind: StoreKind, url: string): readonly number[] {
  const hosts = url.replace(/^[^/]*\/\/(?:[^/]*@)?/, '').replace(/[/?].*$/s, '')
  const given = [...hosts.matchAll(/:(\d{1,5})(?=,|$)/g)].map(([, port]) => Number(port))
  const isWhole = given.length >= hosts.split(',').length
  return [...new Set(isWhole ? given : [...given, STORE_SERVERS[kind].port])]
}
