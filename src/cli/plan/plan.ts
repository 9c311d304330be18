import { isEmbedded } from '../../drivers/by-scheme.ts'
import { MOST_REPLICAS, replicaName } from '../../kit/config/replicas.ts'
import type { Section } from '../../kit/config/schema.ts'
import { withoutPort } from '../../kit/discovery/advertised.ts'
import { AppError } from '../../kit/errors.ts'
import { didYouMean } from '../../kit/nearest.ts'
import type { RolePlan } from '../../kit/supervisor/role-unit.ts'
import { checkNeeds } from '../../kit/supervisor/waves.ts'
import { ROLE_NAMES, UP_ROLE_NAMES } from '../../roles/catalog.ts'
import { type Configured, registryUrl } from '../session/configuration.ts'

/** What replicas of a role agree in, by setting. */
const SERVERS = { store: 'postgres://…', bus: 'nats://…', cache: 'redis://…' } as const

/** What the flags of `msvc up` ask for. */
export interface Wish {
  /** CLI words of roles, and names of services; absent: every role that is part of `msvc up`, and every service. */
  readonly only?: readonly string[]
  /** CLI words of roles that are not part of it, where `only` doesn't say what is. Default: none. */
  readonly without?: readonly string[]
  /** Replicas by CLI word or name; where it says nothing 1 of a role, and of a service its `replicas`. */
  readonly scale: ReadonlyMap<string, number>
  readonly portOffset: number
}

/** Reads `--only a,b`. Throws AppError `USAGE` when it names nothing. */
export function parseOnly(text: string): readonly string[] {
  const wanted = text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
  if (wanted.length === 0) throw new AppError('USAGE', '--only wants roles or services, such as --only registry,user')
  return [...new Set(wanted)]
}

/** Reads `user=2,order=3`. Throws AppError `USAGE`. @param asked what they are given to. Default: the flag of `msvc up` */
export function parseScale(texts: readonly string[], asked = '--scale'): ReadonlyMap<string, number> {
  const pairs = texts
    .flatMap((text) => text.split(','))
    .map((pair): [string, number] => {
      const [, name = '', count] = /^\s*([\w-]+)=(\d{1,3})\s*$/.exec(pair) ?? []
      const replicas = Number(count)
      if (replicas >= 1 && replicas <= MOST_REPLICAS) return [name, replicas]
      throw new AppError(
        'USAGE',
        `${asked} wants name=replicas, of a role or service, with 1 to ${MOST_REPLICAS} replicas, such as user=2, not ${pair}`,
      )
    })
  return new Map(pairs)
}

/**
 * Refuses a wish for what there isn't. Throws AppError `USAGE`.
 * @param services names of the user's own services
 */
export function checkWish(wish: Chosen, services: readonly string[]): void {
  const { only, scale } = wish
  const names = [...ROLE_NAMES, ...services]
  for (const name of only ?? []) known(name, names)
  for (const name of scale.keys()) known(name, names)
  const chosen = only ?? [...rolesOf(wish), ...services]
  const left = [...scale.keys()].find((name) => !chosen.includes(name))
  if (left === undefined) return
  throw new AppError(
    'USAGE',
    `${left} is not one of the roles and services to run (${chosen.join(', ')}); ${wish.without?.includes(left) ? 'up.without leaves it out' : 'add it with --only'}`,
  )
}

/** Reads `--port-offset N`. Throws AppError `USAGE`. */
export function parseOffset(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new AppError('USAGE', `--port-offset wants a whole number from 0 to 65535, not ${text}`)
}

function known(name: string, names: readonly string[]) {
  if (names.includes(name)) return
  throw new AppError(
    'USAGE',
    `there is no role or service ${name}${didYouMean(name, names)} (there are ${names.join(', ')})`,
  )
}

/** One replica of a role: its CLI word, and the replica's own name. */
export interface UnitName {
  readonly role: string
  readonly unit: string
}

/** What of a wish says which roles run, and how many of each. */
type Chosen = Pick<Wish, 'only' | 'without' | 'scale'>

/** CLI words of the roles that a wish runs, in the catalog's order. */
export function rolesOf({ only, without = [] }: Pick<Wish, 'only' | 'without'>): readonly string[] {
  return only
    ? ROLE_NAMES.filter((name) => only.includes(name))
    : UP_ROLE_NAMES.filter((name) => !without.includes(name))
}

/** The replicas of roles that a wish runs, in the catalog's order: `user`, `user-2` and so on. */
export function unitNames(wish: Chosen): readonly UnitName[] {
  return rolesOf(wish).flatMap((role) =>
    Array.from({ length: wish.scale.get(role) ?? 1 }, (_, replica) => ({ role, unit: replicaName(role, replica) })),
  )
}

/**
 * The units to run, one or more a role. The first replica of a role takes its port (plus the offset), further ones take free ports; those of the registry,
 * which everybody has to know beforehand, the ports behind its own.
 * Throws AppError `USAGE` when the offset leads past the last port, or for replicas of a role that runs alone; `CONFIG_INVALID` when a role needs one
 * that there isn't.
 */
export function planUnits(configured: Configured, wish: Wish): readonly RolePlan[] {
  const { roles, settings, sections } = configured
  checkNeeds(roles)
  refuseLonely(configured, wish)
  const shifted = new Map(roles.map(({ name }) => [name, shift(name, sections[name], wish.portOffset)]))
  const registries = registrySections(shifted.get('registry'), wish.scale.get('registry') ?? 1)
  const url = registryUrl({ settings, sections: {} }, [], registries)
  const replicas = new Map<string, number>()
  return unitNames(wish).flatMap(({ role, unit }) => {
    const section = shifted.get(role)
    if (!section) return []
    const replica = replicas.get(role) ?? 0
    replicas.set(role, replica + 1)
    const own = role === 'registry' ? registries[replica] : replica === 0 ? section : onPort(section, 0)
    if (!own) return []
    const { needs = [], reloads = [] } = roles.find(({ name }) => name === role) ?? {}
    return [
      {
        unit,
        needs,
        reloads,
        job: { role, settings, section: own, registryUrl: url },
      },
    ]
  })
}

/** Refuses replicas that would each know only what it was told itself: an instance registered at one registry is unknown to the other. */
function refuseLonely({ roles, settings }: Configured, { scale }: Pick<Wish, 'scale'>): void {
  const lonely = roles.find(
    ({ name, agreesIn }) => agreesIn && (scale.get(name) ?? 1) > 1 && isEmbedded(settings[agreesIn]),
  )
  if (!lonely?.agreesIn) return
  const { name, agreesIn } = lonely
  throw new AppError(
    'USAGE',
    `${name} runs alone, for its replicas would not share what they know while ${agreesIn} is ${settings[agreesIn]}; with ${agreesIn}: ${SERVERS[agreesIn]} they do`,
  )
}

/** Where the replicas of the registry listen, one behind the other. Throws AppError `USAGE` behind the last port. */
function registrySections(section: Section | undefined, replicas: number): readonly Section[] {
  if (!section) return []
  if (section.port + replicas - 1 > 65_535) {
    throw new AppError(
      'USAGE',
      `${replicas} replicas of registry from port ${section.port} on lead past the last one, 65535`,
    )
  }
  return Array.from({ length: replicas }, (_, replica) =>
    replica === 0 ? section : onPort(section, section.port === 0 ? 0 : section.port + replica),
  )
}

/** A further replica's section: what is advertised with a port is the first replica's alone. */
function onPort(section: Section, port: number): Section {
  const { advertise } = section
  return { ...section, port, ...(advertise !== undefined && { advertise: withoutPort(advertise) }) }
}

function shift(name: string, section: Section | undefined, offset: number): Section | undefined {
  if (!section || section.port === 0) return section
  const port = section.port + offset
  if (port <= 65_535) return { ...section, port }
  throw new AppError('USAGE', `--port-offset ${offset} puts ${name} on port ${port}, and the last one is 65535`)
}
