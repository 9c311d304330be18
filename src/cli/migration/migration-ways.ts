import { isEmbedded } from '../../drivers/by-scheme.ts'
import type { Configuration } from '../../kit/config/load.ts'
import { AppError } from '../../kit/errors.ts'
import type { Backend } from '../../kit/migration/move-notes.ts'
import type { Way } from '../../kit/migration/run-name.ts'
import { whereaboutsOf } from '../../kit/migration/whereabouts.ts'
import { withoutPassword } from '../../kit/secrets/address-text.ts'

/** Flags of `msvc migrate` as commander gives them. */
export interface MigrateFlags {
  readonly store?: string
  readonly bus?: string
  readonly cache?: string
  readonly fromStore?: string
  readonly fromBus?: string
  readonly dryRun?: boolean
  readonly force?: boolean
  readonly live?: boolean
}

/** What a configuration says of them, where they are in the data folder. */
const HERE = { store: 'sqlite:', bus: 'embedded:' } as const
const BACKENDS = ['store', 'bus'] as const
const KEPT = { store: 'databases', bus: 'messages' } as const
const KINDS = ['store', 'bus', 'cache'] as const
const VARIABLES = { store: 'DATABASE_URL', bus: 'NATS_URL' } as const

/** Where something is to go. */
export interface Target {
  readonly url: string
  /** What says so: `--store`, `DATABASE_URL`, `shop.yaml:12`. */
  readonly saidBy: string
}

/** Where each of them is to go; what is absent stays. */
export type Targets = Readonly<Partial<Record<(typeof KINDS)[number], Target>>>

/** What is moved, and from where to where. */
export interface MigrationWays {
  readonly store?: Way
  readonly bus?: Way
  readonly cache?: string
  readonly targets: Targets
}

type Said = Pick<Configuration, 'settings' | 'saidBy'>

/** Where a platform is to go: to what the flags name, or without any to the servers of the configuration. Throws AppError `USAGE` where neither says anything. */
export function targetsOf(flags: MigrateFlags, { settings, saidBy }: Said): Targets {
  const named: Targets = {
    ...namedTarget('store', flags.store, flags.fromStore),
    ...namedTarget('bus', flags.bus, flags.fromBus),
    ...namedTarget('cache', flags.cache),
  }
  if (Object.keys(named).length > 0) return named
  const configured = KINDS.filter((kind) => !isEmbedded(settings[kind]))
  if (configured.length > 0) {
    return Object.fromEntries(
      configured.map((kind) => [kind, { url: settings[kind], saidBy: saidBy([kind]) ?? 'the configuration' }]),
    )
  }
  throw new AppError(
    'USAGE',
    'nothing says what is to go where: put the URLs of servers into DATABASE_URL, NATS_URL and REDIS_URL or the configuration, or name them with --store, --bus and --cache; see msvc migrate --help',
  )
}

/** What is fetched from somewhere, and is to go nowhere else, comes into the data folder. */
function namedTarget(kind: keyof Targets, to: string | undefined, from?: string): Targets {
  if (to !== undefined) return { [kind]: { url: to, saidBy: `--${kind}` } }
  return from !== undefined && kind !== 'cache' ? { [kind]: { url: HERE[kind], saidBy: `--from-${kind}` } } : {}
}

/**
 * From where to where a platform that does not run is moved: from where the data are by now, as the data folder knows, or as `--from-store` and `--from-bus` say.
 * Throws AppError `USAGE` where neither flags nor configuration lead anywhere, and `CONFLICT` for what is there already, or of which nobody can tell where it is.
 */
export function waysOf(flags: MigrateFlags, configuration: Said): MigrationWays {
  const targets = targetsOf(flags, configuration)
  const from = { store: flags.fromStore, bus: flags.fromBus }
  const ways: Partial<Record<Backend, Way>> = {}
  const stays: Staying[] = []
  for (const backend of BACKENDS) {
    const target = targets[backend]
    if (target === undefined) continue
    const source = from[backend] ?? sourceOf(backend, target, configuration)
    if (typeof source === 'string') ways[backend] = { from: source, to: target.url }
    else if (source.isThere && isFlag(target)) throw new AppError('CONFLICT', source.why)
    else stays.push(source)
  }
  if (Object.keys(ways).length === 0 && stays.length > 0) throw nothingToMove(stays, configuration.settings.data)
  return { ...ways, ...(targets.cache && { cache: targets.cache.url }), targets }
}

/** Why something is not moved. */
interface Staying {
  readonly why: string
  /** Whether it is where it is to go. */
  readonly isThere: boolean
}

function nothingToMove(stays: readonly Staying[], data: string): AppError {
  const advice = stays.some(({ isThere }) => isThere) ? '' : `; ${data} is no platform's: name that with --data`
  return new AppError('CONFLICT', `nothing is left to move: ${stays.map(({ why }) => why).join('; ')}${advice}`)
}

/** Whether the command line says where something is to go; else the configuration does. */
export function isFlag({ saidBy }: Target): boolean {
  return saidBy.startsWith('--')
}

function sourceOf(backend: Backend, target: Target, { settings, saidBy }: Said): string | Staying {
  const { data, [backend]: configured } = settings
  const to = withoutPassword(target.url)
  const found = whereaboutsOf(data, backend)
  if (found.at === 'folder' && !isEmbedded(to)) return HERE[backend]
  if (found.at === 'server') {
    const { server, since } = found
    if (server === to)
      return { why: `the ${backend} is at ${to} (${target.saidBy}) already, since ${since}`, isThere: true }
    if (server === withoutPassword(configured)) return configured
    const other = isEmbedded(configured) ? '' : `, which is not ${withoutPassword(configured)} (${saidBy([backend])})`
    const advice = `${isFlag(target) ? `put that into ${VARIABLES[backend]}, or ` : ''}name that with --from-${backend}`
    throw new AppError(
      'CONFLICT',
      `the ${KEPT[backend]} of ${data} went to ${server} (${since})${other}: ${advice}, password and all`,
    )
  }
  if (!isEmbedded(configured) && withoutPassword(configured) !== to) return configured
  return isEmbedded(to)
    ? { why: `the ${backend} is in ${data} (${target.saidBy}) already`, isThere: true }
    : { why: `${data} holds no ${KEPT[backend]}`, isThere: false }
}
