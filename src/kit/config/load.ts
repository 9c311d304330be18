import { dirname, resolve } from 'node:path'
import * as z from 'zod'
import { isSystemFault, readRegularFile } from '../../drivers/regular-file.ts'
import { AppError, messageOf } from '../errors.ts'
import { isRecord } from '../record.ts'
import type { Configurable } from './configurable.ts'
import { readEnvironment } from './environment.ts'
import { explain, type Fault, MAX_FAULTS } from './explain.ts'
import type { LocatedYaml, Path } from './locate.ts'
import type { Override } from './override.ts'
import type { OwnServices } from './own-service.ts'
import { ownServiceFaults } from './own-service-rules.ts'
import { misplacedFault, type OwnServicesOptions, readOwnServices, sortServices } from './own-services.ts'
import { placeFaults } from './place-faults.ts'
import { crossFaults, leavingFaults, type PlacedRole } from './rules.ts'
import { Listen, Platform, type Section, type Settings } from './schema.ts'

export interface LoadOptions {
  /** Every role that has a section. */
  readonly roles: readonly Configurable[]
  /** CLI words of the roles that will share this machine, which the settings may say: their ports must differ. */
  readonly together: readonly string[] | ((settings: Settings) => readonly string[])
  /** The one role that PORT and SERVICE_NAME speak of. */
  readonly served?: string
  /** The YAML file; absent: the built-in defaults (configs/msvc.yaml says the same). */
  readonly file?: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Values from the command line, which win over everything. */
  readonly flags?: readonly Override[]
  /** What relative paths start from. */
  readonly folder: string
  /** Whether the user's own services are to run here, or names of those that are: only then their folders and variables have to be there. Default false. */
  readonly runsServices?: RunsServices
  /** What the user's own services mean for the sections of roles. Default: nothing. */
  readonly derive?: (services: OwnServices) => readonly Derived[]
  /** CLI words of the roles that the user's own services bring to this machine. Default: none. */
  readonly brings?: (services: OwnServices) => readonly string[]
  /** What is added to the port of each role when it runs, from 0 to 65 535: services keep theirs. Default 0. */
  readonly portOffset?: number
}

/** Which of the user's own services run here: all, none, or those of these names. */
export type RunsServices = boolean | readonly string[]

/** A value of a role's section that follows from something else in the file. */
export interface Derived {
  readonly path: Path
  readonly value: unknown
  /** Where it comes from, which is where its faults are told of. */
  readonly origin: Path
}

/** A configuration that holds: every default filled in, every rule checked. */
export interface Configuration {
  readonly settings: Settings
  /** By the role's CLI word. */
  readonly sections: Readonly<Record<string, Section>>
  /** The user's own services, by name. */
  readonly own: OwnServices
  /** SERVICE_NAME, when it was set for the served role. */
  readonly service?: string
  /** Where a value is said: `--data`, `DATABASE_URL`, `shop.yaml:12`; undefined where its default holds. */
  readonly saidBy: (path: Path) => string | undefined
}

/**
 * Puts the configuration together: flags over environment over file over defaults.
 * Rejects with AppError `CONFIG_INVALID` whose message has one line a fault, all faults at once (a hundred at most), each with its place:
 *   `configs/x.yaml:12: gateway.port: expected a whole number from 0 to 65535, got 80000`
 */
export async function loadConfiguration(options: LoadOptions): Promise<Configuration> {
  const { roles, served, file, folder, flags = [] } = options
  const yaml = file === undefined ? EMPTY : await readYaml(file, folder)
  const environment = await readEnvironment(options.environment, roles, served)
  const overrides = [...environment.overrides, ...flags]
  const given = overrides.reduce(withOverride, yaml.value)

  const faults: Fault[] = []
  const { elsewhere, own: ownGiven, misplaced } = sortServices(given.services)
  faults.push(...misplaced.map(misplacedFault))
  const own = readOwnServices(ownGiven, placeOfServices(options), faults)
  const derived = options.derive?.(own) ?? []
  faults.push(...derived.filter(({ path }) => isGiven(given, path)).map(saidTwice))
  const isSorted = Object.keys(ownGiven).length + misplaced.length > 0
  const raw = derived.reduce(withOverride, isSorted ? { ...given, services: elsewhere } : given)
  const settings = parsePlatform(raw, roles, faults)
  const sections = new Map(roles.map((role) => [role.name, parseSection(role, raw[role.name], faults)]))
  const together = settings ? togetherBy(options, settings) : []
  const placed = [...new Set([...together, ...(options.brings?.(own) ?? [])])].flatMap((name) => {
    const section = sections.get(name)
    return section ? [{ name, section, portGiven: isGiven(raw, [name, 'port']) }] : []
  })
  if (settings)
    faults.push(...(await placeFaults(settings)), ...crossFaults(settings, placed), ...leavingFaults(settings, roles))
  const others = {
    roles,
    taken: portsOf(placed, options.portOffset ?? 0),
    elsewhere: Object.keys(elsewhere),
    left: settings?.up.without.filter((name) => !together.includes(name)) ?? [],
    faulty: faultyServices(Object.keys(isRecord(given.services) ? given.services : {}), faults),
  }
  faults.push(...ownServiceFaults(own, others))

  const originOf = (fault: Fault): Fault => {
    const source = derived.find(({ path }) => startsWith(fault.path, path))
    return source ? { ...fault, path: source.origin } : fault
  }
  const placedFaults = faults.map(originOf).map((fault) => ({ fault, line: yaml.lineOf(fault.path) ?? 0 }))
  const inOrder = placedFaults.sort((a, b) => a.line - b.line)
  const saidBy = (path: Path) => {
    const override = overrides.findLast(({ path: set }) => startsWith(path, set))
    const line = yaml.lineOf(path)
    return override?.from ?? (line === undefined ? undefined : `${file}:${line}`)
  }
  const told = inOrder.map(({ fault }) => environment.hide(sentence(fault, saidBy(fault.path) ?? file)))
  const lines = [...environment.faults, ...told]
  if (!settings || lines.length > 0) throw invalid(lines)
  return {
    settings: withPlaces(settings, folder),
    sections: Object.fromEntries([...sections].flatMap(([name, section]) => (section ? [[name, section]] : []))),
    own,
    ...(environment.service !== undefined && { service: environment.service }),
    saidBy,
  }
}

/** The settings with the paths in them absolute. */
function withPlaces({ data, auth, ...settings }: Settings, folder: string): Settings {
  const { key_file: keyFile, token_file: tokenFile } = auth
  return {
    ...settings,
    data: resolve(folder, data),
    auth: {
      ...auth,
      ...(keyFile !== undefined && { key_file: resolve(folder, keyFile) }),
      ...(tokenFile !== undefined && { token_file: resolve(folder, tokenFile) }),
    },
  }
}

const EMPTY: LocatedYaml = { value: {}, lineOf: () => undefined, faults: [] }

/** Largest file that is read, in bytes. */
const MAX_BYTES = 262_144

async function readYaml(file: string, folder: string): Promise<LocatedYaml> {
  const refuse = (why: string, cause?: unknown) =>
    invalid([`${file}: ${why}; --config names a YAML file, and without it the built-in defaults hold`], cause)
  let text: string | undefined
  try {
    text = readRegularFile(resolve(folder, file), MAX_BYTES).toString('utf8')
  } catch (cause) {
    if (!isSystemFault(cause)) throw refuse(messageOf(cause))
    throw refuse(cause.code === 'ENOENT' ? 'no such file' : 'cannot be read', cause)
  }
  // what has no file needs no parser
  const { locateYaml } = await import('./locate.ts')
  const yaml = locateYaml(text)
  if (yaml.faults.length > 0) throw invalid(yaml.faults.map(({ line, message }) => `${file}:${line}: ${message}`))
  return yaml
}

function invalid(faults: readonly string[], cause?: unknown): AppError {
  const told = faults.slice(0, MAX_FAULTS)
  const more = faults.length > told.length ? ['there is more; mend these first'] : []
  return new AppError('CONFIG_INVALID', [...told, ...more].join('\n'), { cause })
}

function placeOfServices({ file, folder, environment, runsServices }: LoadOptions): OwnServicesOptions | undefined {
  if (!runsServices) return undefined
  const place = { folder: file === undefined ? folder : dirname(resolve(folder, file)), environment }
  return { ...place, isHere: (name) => runsServices === true || runsServices.includes(name) }
}

function togetherBy({ together }: LoadOptions, settings: Settings): readonly string[] {
  return typeof together === 'function' ? together(settings) : together
}

function faultyServices(names: readonly string[], faults: readonly Fault[]): readonly string[] {
  return names.filter((name) => faults.some(({ path }) => startsWith(path, ['services', name])))
}

/** The ports where roles really listen, and whose they are; those that are free ones are not known yet. */
function portsOf(placed: readonly PlacedRole[], offset: number): ReadonlyMap<number, string> {
  const known = placed.filter(({ section }) => section.port !== 0)
  return new Map(known.map(({ name, section }) => [section.port + offset, name]))
}

function saidTwice({ path, origin }: Derived): Fault {
  return { path: origin, message: `${path.join('.')} is given too; leave one of them out` }
}

/** Sets one value from outside the file; leaves a section that isn't one as it is, for the schema to refuse. */
function withOverride(
  raw: Record<string, unknown>,
  { path, value }: Pick<Override, 'path' | 'value'>,
): Record<string, unknown> {
  const [key, ...rest] = path
  if (key === undefined) return raw
  if (rest.length === 0) return { ...raw, [key]: value }
  const inner = raw[key] ?? {}
  return isRecord(inner) ? { ...raw, [key]: withOverride(inner, { path: rest, value }) } : raw
}

function isGiven(raw: Record<string, unknown>, [key, ...rest]: Path): boolean {
  const held = key === undefined ? undefined : raw[key]
  return rest.length === 0 ? held !== undefined : isRecord(held) && isGiven(held, rest)
}

function parsePlatform(
  raw: Record<string, unknown>,
  roles: readonly Configurable[],
  faults: Fault[],
): Settings | undefined {
  const names = roles.map((role) => role.name)
  const own = Object.fromEntries(Object.entries(raw).filter(([key]) => !names.includes(key)))
  const found = explain(Platform, own, names)
  faults.push(...found)
  return found.length === 0 ? Platform.parse(own) : undefined
}

function parseSection(role: Configurable, raw: unknown, faults: Fault[]): Section | undefined {
  const given = raw ?? {}
  if (!isRecord(given)) {
    faults.push({ path: [role.name], message: 'expected a section with keys of its own, such as "port: 8000"' })
    return undefined
  }
  const { host = '127.0.0.1', port = role.port, advertise, ...own } = given
  const listen = { host, port, ...(advertise !== undefined && { advertise }) }
  const config = role.config instanceof z.ZodObject ? role.config.strict() : role.config
  const found = [...explain(Listen, listen), ...explain(config, own, Object.keys(Listen.shape))]
  faults.push(...found.map(({ path, message }) => ({ path: [role.name, ...path], message })))
  if (found.length > 0) return undefined
  const parsed: unknown = config.parse(own)
  return { ...Listen.parse(listen), ...(isRecord(parsed) ? parsed : {}) }
}

function sentence({ path, message }: Fault, where: string | undefined): string {
  if (where?.startsWith('-')) return `${where}: ${message}`
  const name = path.join('.')
  return where === undefined ? `${name}: ${message}` : `${where}: ${name}: ${message}`
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((step, index) => path[index] === step)
}
