import { didYouMean } from '../nearest.ts'
import { isTopicPattern } from '../topic-name.ts'
import type { Fault } from './explain.ts'
import type { OwnServices } from './own-service.ts'
import { replicaName } from './replicas.ts'

/** A role as far as these rules go. */
export interface NamedRole {
  /** CLI word. */
  readonly name: string
  /** Registered name. */
  readonly service: string
}

/** Most doors that `outbound` holds open: as many as 64 services need beside the platform's. One that nobody calls by takes some 10 kB. */
export const MOST_DOORS = 5_000

/** What else a platform has, besides the user's own services. */
export interface Others {
  readonly roles: readonly NamedRole[]
  /** Ports of the roles that run on this machine at the same time, and whose they are. */
  readonly taken: ReadonlyMap<number, string>
  /** Names of services that run elsewhere. */
  readonly elsewhere: readonly string[]
  /** Roles that are left out, by `up.without`. */
  readonly left: readonly string[]
  /** Names of services that are in the file and don't hold. */
  readonly faulty: readonly string[]
}

/**
 * What no service shows by itself: a name that a role has, needs that nobody meets, needs in a circle, one port for two, two units of one name, calls to nobody, more doors than
 * there can be. What needs or calls a service that has faults of its own isn't told of: that follows from them.
 */
export function ownServiceFaults(services: OwnServices, others: Others): readonly Fault[] {
  const { roles, taken, elsewhere, faulty } = others
  return [
    ...nameFaults(services, roles),
    ...needFaults(services, others),
    ...leftFaults(services, others),
    ...circleFaults(services),
    ...portFaults(services, taken),
    ...workerFaults(services),
    ...topicFaults(services),
    ...callFaults(services, roles, [...elsewhere, ...faulty]),
    ...doorFaults(services, roles.length + elsewhere.length),
  ]
}

function nameFaults(services: OwnServices, roles: readonly NamedRole[]): readonly Fault[] {
  return Object.keys(services).flatMap((name): readonly Fault[] => {
    const path = ['services', name]
    const role = roles.find((each) => each.name === name || each.service === name)
    if (role) {
      const message = `${name} is the platform's own (the role ${role.name}); give your service another name`
      return [{ path, message }]
    }
    const twin = Object.entries(services).find(([other, { replicas }]) =>
      Array.from({ length: replicas - 1 }, (_, index) => replicaName(other, index + 1)).includes(name),
    )
    if (!twin) return []
    return [
      { path, message: `${name} is a replica of ${twin[0]} too (replicas: ${twin[1].replicas}); rename one of them` },
    ]
  })
}

function needFaults(services: OwnServices, { roles, left, faulty }: Others): readonly Fault[] {
  const known = [...roles.map(({ name }) => name), ...Object.keys(services), ...faulty]
  return Object.entries(services).flatMap(([name, { needs }]) =>
    needs.flatMap((need, index): readonly Fault[] => {
      const path = ['services', name, 'needs', index]
      if (left.includes(need)) return [{ path, message: `up.without leaves ${need} out; take it out of that list` }]
      if (known.includes(need)) return []
      const role = roles.find(({ service }) => service === need)
      const hint = role ? `; did you mean ${role.name}?` : didYouMean(need, known)
      return [{ path, message: `there is neither a role nor a service ${need}${hint}` }]
    }),
  )
}

/** What of a service only a role that is left out would do. */
function leftFaults(services: OwnServices, { left }: Others): readonly Fault[] {
  return Object.entries(services).flatMap(([name, { route, receives }]): readonly Fault[] => [
    ...(route && left.includes('gateway') ? [leftFault(name, 'route', 'gateway')] : []),
    ...(Object.keys(receives).length > 0 && left.includes('broker') ? [leftFault(name, 'receives', 'broker')] : []),
  ])
}

function leftFault(name: string, key: string, role: string): Fault {
  return { path: ['services', name, key], message: `nobody does that, as up.without leaves ${role} out` }
}

/** Each circle once, told at the first of its services in the file. */
function circleFaults(services: OwnServices): readonly Fault[] {
  const told = new Set<string>()
  return Object.keys(services).flatMap((name): readonly Fault[] => {
    const circle = circleFrom(name, services)
    if (!circle || circle.some((each) => told.has(each))) return []
    for (const each of circle) told.add(each)
    const message = `these need each other in a circle, so none could start: ${[...circle, name].join(' -> ')}`
    return [{ path: ['services', name, 'needs'], message }]
  })
}

/** The services from one back to itself, the shortest way; undefined where no way leads back. */
function circleFrom(start: string, services: OwnServices): readonly string[] | undefined {
  const cameFrom = new Map<string, string>()
  const queue = [start]
  for (const name of queue) {
    for (const need of services[name]?.needs ?? []) {
      if (need === start) return wayTo(name, cameFrom)
      if (!Object.hasOwn(services, need) || cameFrom.has(need)) continue
      cameFrom.set(need, name)
      queue.push(need)
    }
  }
  return undefined
}

function wayTo(end: string, cameFrom: ReadonlyMap<string, string>): readonly string[] {
  const way = [end]
  for (let at = cameFrom.get(end); at !== undefined; at = cameFrom.get(at)) way.unshift(at)
  return way
}

function portFaults(services: OwnServices, taken: ReadonlyMap<number, string>): readonly Fault[] {
  const holders = new Map(taken)
  return Object.entries(services).flatMap(([name, { port, ready }]): readonly Fault[] => {
    if (port === undefined) return []
    const path = ['services', name, 'port']
    if (ready.by === 'none') return [{ path, message: 'a service that is ready: none has no port; leave it out' }]
    const holder = holders.get(port)
    holders.set(port, name)
    if (holder === undefined) return []
    return [{ path, message: `${port} is ${holder}'s port too; give each its own, or leave it out for a free one` }]
  })
}

/** What has no port can't be sent anything. */
function workerFaults(services: OwnServices): readonly Fault[] {
  return Object.entries(services).flatMap(([name, { ready, route, receives }]): readonly Fault[] => {
    if (ready.by !== 'none') return []
    const message = 'a service that is ready: none has no port to be reached at; leave out one of the two'
    return [
      ...(route ? [{ path: ['services', name, 'route'], message }] : []),
      ...(Object.keys(receives).length > 0 ? [{ path: ['services', name, 'receives'], message }] : []),
    ]
  })
}

function topicFaults(services: OwnServices): readonly Fault[] {
  return Object.entries(services).flatMap(([name, { receives }]) =>
    Object.keys(receives).flatMap((topic): readonly Fault[] => {
      if (isTopicPattern(topic)) return []
      const message = 'expected a topic such as order.created, or a pattern of them such as order.* or order.>'
      return [{ path: ['services', name, 'receives', topic], message }]
    }),
  )
}

function callFaults(
  services: OwnServices,
  roles: readonly NamedRole[],
  elsewhere: readonly string[],
): readonly Fault[] {
  const known = [...roles.map(({ service }) => service), ...Object.keys(services), ...elsewhere]
  return Object.entries(services).flatMap(([name, { calls }]) =>
    (calls === 'direct' ? [] : Object.keys(calls)).flatMap((callee): readonly Fault[] => {
      if (known.includes(callee)) return []
      const role = roles.find((each) => each.name === callee)
      const hint = role ? `; did you mean ${role.service}?` : didYouMean(callee, known)
      return [{ path: ['services', name, 'calls', callee], message: `there is no service ${callee}${hint}` }]
    }),
  )
}

/** @param others how many may be called besides the services, at most */
function doorFaults(services: OwnServices, others: number): readonly Fault[] {
  const all = Object.values(services)
  const callers = all.filter(({ calls }) => calls !== 'direct').length
  const callable = all.filter(({ ready }) => ready.by !== 'none').length
  const receivers = all.filter(({ receives }) => Object.keys(receives).length > 0).length
  const doors = callers * (callable + others) + receivers
  if (doors <= MOST_DOORS) return []
  const message = `${all.length} services need up to ${doors} doors, one to each other, and there are ${MOST_DOORS}; let some say "calls: direct", or run fewer`
  return [{ path: ['services'], message }]
}
