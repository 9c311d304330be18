import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Configuration, LoadOptions, RunsServices } from '../../kit/config/load.ts'
import type { Override } from '../../kit/config/override.ts'
import { addressOf, type Section } from '../../kit/config/schema.ts'
import { AppError } from '../../kit/errors.ts'
import type { AnyRole } from '../../kit/role.ts'
import { hideInText } from '../../kit/secrets/secret-text.ts'
import { visibleText } from '../render/visible-text.ts'
import type { RunState } from './run-state.ts'
import type { GlobalOptions, Session } from './session.ts'

/** What a command works with: every role, and the configuration. */
export interface Configured extends Configuration {
  readonly roles: readonly AnyRole[]
  /** The file that was read, as it is named on the command line; undefined for the built-in defaults. */
  readonly file?: string
}

export interface ConfigureOptions {
  /** The one role that PORT and SERVICE_NAME speak of. */
  readonly served?: string
  /** CLI words of the roles to run on this machine; default: those of `msvc up` by the settings. */
  readonly together?: LoadOptions['together']
  readonly flags?: readonly Override[]
  /** Whether roles are going to run: what speaks of a role that is served concerns nobody else. Default true. */
  readonly runs?: boolean
  /** Which of the user's own services are going to run too. Default false. */
  readonly runsServices?: RunsServices
  /** What is added to the port of each role. Default 0. */
  readonly portOffset?: number
  /** Goes on as if there were no file. Default false. */
  readonly isFileLeftOut?: boolean
}

/** Who wants to know where a configuration is. */
interface Asking {
  readonly io: Pick<Session['io'], 'folder'>
  readonly options: Pick<GlobalOptions, 'config' | 'data'>
}

/** Who wants to know what is in it. */
interface Reading extends Asking {
  readonly io: Pick<Session['io'], 'folder' | 'environment'>
}

/** Who talks to a platform. */
interface Reaching extends Reading {
  readonly messages: Pick<Session['messages'], 'warn'>
}

/** The file that is read when no other is named, if it is there. */
const DEFAULT_FILE = 'msvc.yaml'

/** The file that the configuration is read from, as `--config` names it or as it is found in the folder; undefined for the built-in defaults. */
export function configurationFile({ io, options }: Asking): string | undefined {
  return options.config ?? (existsSync(join(io.folder, DEFAULT_FILE)) ? DEFAULT_FILE : undefined)
}

/** Where that file is, or is looked for each time: an absolute path. */
export function configurationPlace({ io, options }: Asking): string {
  return resolve(io.folder, options.config ?? DEFAULT_FILE)
}

/** Loads all roles and the configuration, `--data` and `--config` heeded. Throws AppError `CONFIG_INVALID` with every fault. */
export async function configure({ io, options }: Reading, wanted: ConfigureOptions = {}): Promise<Configured> {
  const [{ loadRoles, UP_ROLE_NAMES }, { loadConfiguration }, { ownServiceRoutes }, { rolesForDoors }] =
    await Promise.all([
      import('../../roles/catalog.ts'),
      import('../../kit/config/load.ts'),
      import('../../roles/gateway/own-service-routes.ts'),
      import('../../roles/outbound/own-service-doors.ts'),
    ])
  const file = wanted.isFileLeftOut ? undefined : configurationFile({ io, options })
  const roles = await loadRoles()
  const data = options.data === undefined ? [] : [{ path: ['data'], value: options.data, from: '--data' }]
  const configuration = await loadConfiguration({
    roles,
    together: wanted.together ?? (({ up }) => UP_ROLE_NAMES.filter((name) => !up.without.includes(name))),
    environment:
      wanted.runs === false ? { ...io.environment, PORT: undefined, SERVICE_NAME: undefined } : io.environment,
    folder: io.folder,
    flags: [...data, ...(wanted.flags ?? [])],
    runsServices: wanted.runsServices ?? false,
    derive: ownServiceRoutes,
    ...(wanted.runsServices && { brings: rolesForDoors }),
    ...(wanted.portOffset !== undefined && { portOffset: wanted.portOffset }),
    ...(file !== undefined && { file }),
    ...(wanted.served !== undefined && { served: wanted.served }),
  })
  return { roles, ...configuration, ...(file !== undefined && { file }) }
}

/** What a command works with that talks to a platform. */
export interface Reached extends Configured {
  /** All that runs on the data folder. */
  readonly running: readonly RunState[]
  /** `--config` and `--data`, as far as they hold: a file with faults says nothing of where anything is. */
  readonly named: Pick<GlobalOptions, 'config' | 'data'>
}

export interface ReachOptions {
  /** Whether a file with faults is warned of; false where the platform is going to tell them all. Default true. */
  readonly warns?: boolean
}

/**
 * The configuration for a command that talks to a platform. Where one runs on the data folder it is the one that checks tokens, so its
 * mode, issuer and keys hold; and its environment, unless `--config` names a file of the command's own. A file with faults keeps nobody from a platform that
 * runs: it is warned of, and left out. Throws AppError `CONFIG_INVALID`, also for a data folder that can't be read; `USAGE` for a `--data` that there isn't.
 */
export async function configureClient(session: Reaching, { warns = true }: ReachOptions = {}): Promise<Reached> {
  const { options } = session
  try {
    return await reach(options, await configure(session, { runs: false }))
  } catch (fault) {
    const file = configurationFile(session)
    // a file that isn't there was meant to be another
    if (!isInvalid(fault) || file === undefined || !existsSync(resolve(session.io.folder, file))) throw fault
    const reached = await reachWithout(session, file).catch(() => undefined)
    if (!reached || reached.running.length === 0) throw fault
    if (warns) warnOf(session, fault, reached.settings.data)
    return reached
  }
}

async function reach(named: Reached['named'], configured: Configured): Promise<Reached> {
  const { readRunStates } = await import('./run-state.ts')
  const { settings } = configured
  if (named.data !== undefined) requireDataFolder(settings.data)
  const running = await readRunStates(settings.data)
  const [first] = running
  if (!first) return { ...configured, running, named }
  const environment = named.config === undefined ? first.environment : settings.environment
  const { key_file: _, jwks: __, token_file: ___, ...given } = settings.auth
  const auth = { ...given, ...first.auth }
  return { ...configured, running, named, settings: { ...settings, environment, auth } }
}

/**
 * The configuration as if a file with faults were not there, but for the data folder that it names. Throws AppError `CONFIG_INVALID` when what else says
 * something has faults too.
 */
export async function configureWithout(session: Reading, file: string): Promise<Configured> {
  const { glanceAt } = await import('./glance.ts')
  const { data = glanceAt(resolve(session.io.folder, file)).data } = session.options
  // as where the file holds, the environment wins
  const isSaid = data === undefined || (session.io.environment.MSVC_DATA && session.options.data === undefined)
  const flags = isSaid ? [] : [{ path: ['data'], value: data, from: file }]
  return configure(session, { runs: false, isFileLeftOut: true, flags })
}

/** What runs where a file has its data folder of which nothing else can be used. */
async function reachWithout(session: Reading, file: string): Promise<Reached> {
  const configured = await configureWithout(session, file)
  return reach({ data: configured.settings.data }, configured)
}

const isInvalid = (fault: unknown): fault is AppError => fault instanceof AppError && fault.code === 'CONFIG_INVALID'

/** Sessions that were warned: a command may ask for its configuration twice. */
const warned = new WeakSet<Reaching>()

function warnOf(session: Reaching, { message }: AppError, data: string): void {
  if (warned.has(session)) return
  warned.add(session)
  const [first = '', ...others] = message.split('\n')
  const more = others.length === 0 ? '' : ` (and ${others.length} more: msvc check)`
  session.messages.warn(`${visibleText(hideInText(first))}${more}; asking what runs on ${data} without that file`)
}

/** For what needs the keys of a platform: a typing error must not become a folder with keys of its own. Throws AppError `USAGE`. */
export function requireDataFolder(data: string): void {
  if (existsSync(data)) return
  throw new AppError(
    'USAGE',
    `there is no data folder ${data}; name the platform's with --data, or start it with msvc up`,
  )
}

/**
 * Where the registry is, or the registries, separated by commas: static addresses (REGISTRY_URL), where it runs on the data folder, or its section's;
 * empty where that is any free port, which nobody else can know.
 * @param running what runs on the data folder already. Default: nothing
 * @param replicas where all of them will listen. Default: its section says it
 */
export function registryUrl(
  { settings, sections }: Pick<Configuration, 'settings' | 'sections'>,
  running: readonly RunState[] = [],
  replicas: readonly Section[] = sections.registry ? [sections.registry] : [],
): string {
  const roles = running.flatMap((state) => state.roles).filter(({ role }) => role === 'registry')
  const beside = roles.length > 0 ? roles.map(({ url }) => url).join() : undefined
  const own =
    replicas.length > 0
      ? replicas.flatMap((replica) => (replica.port === 0 ? [] : addressOf(replica))).join()
      : undefined
  return settings.services.registry ?? beside ?? own ?? 'http://127.0.0.1:8500'
}

/** A number given as a flag; what is none stays text, for the schema to refuse. */
export function numeric(text: string): number | string {
  return /^\d{1,9}$/.test(text) ? Number(text) : text
}
