import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isRecord } from '../record.ts'
import { explain, type Fault } from './explain.ts'
import { fillText, MissingVariable } from './filled-text.ts'
import { isGivenVariable } from './given-variables.ts'
import type { Path } from './locate.ts'
import { OwnService, OwnServiceName, type OwnServices } from './own-service.ts'

/** `services` as a file gives it, sorted: what runs elsewhere, and what is to be run. */
export interface SortedServices {
  /** Addresses by name, for the platform's schema to check. */
  readonly elsewhere: Readonly<Record<string, unknown>>
  readonly own: Readonly<Record<string, Record<string, unknown>>>
  /** Settings of a service that stand where its name would, as by too few spaces before them. */
  readonly misplaced: readonly string[]
}

/** Sorts `services`: a section is a service to be run, anything else is said to be an address, unless it is named and looks like a service's setting. */
export function sortServices(given: unknown): SortedServices {
  const entries = isRecord(given) ? Object.entries(given) : []
  const isMisplaced = (name: string, value: unknown) =>
    Object.hasOwn(OwnService.shape, name) && value !== null && !/^https?:/.test(String(value))
  const others = entries.filter(([, value]) => !isRecord(value))
  return {
    elsewhere: Object.fromEntries(others.filter(([name, value]) => !isMisplaced(name, value))),
    own: Object.fromEntries(entries.flatMap(([name, value]) => (isRecord(value) ? [[name, value]] : []))),
    misplaced: others.flatMap(([name, value]) => (isMisplaced(name, value) ? [name] : [])),
  }
}

/** Says where a setting that is misplaced belongs. */
export function misplacedFault(name: string): Fault {
  const message = `${name} is a setting of a service: indent it further than that service's name`
  return { path: ['services', name], message }
}

/** Where a user's services are to run. */
export interface OwnServicesOptions {
  /** What relative folders start from: the file's own. */
  readonly folder: string
  /** Whether one is among them, by its name. */
  readonly isHere: (name: string) => boolean
  /** What `env` is filled in with. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * Checks a user's services, each for itself, and fills in what they leave out. Gives those that hold; the faults of the rest are added to `faults`.
 * @param place absent: they don't run here, so that their folders and variables needn't be there, and stay as they are given
 */
export function readOwnServices(
  given: SortedServices['own'],
  place: OwnServicesOptions | undefined,
  faults: Fault[],
): OwnServices {
  const services: Record<string, OwnService> = {}
  for (const [name, raw] of Object.entries(given)) {
    const path = ['services', name]
    const found = [...explain(OwnServiceName, name), ...explain(OwnService, raw)]
    faults.push(...found.map((fault) => ({ path: [...path, ...fault.path], message: fault.message })))
    if (found.length > 0) continue
    const service = OwnService.parse(raw)
    faults.push(...nulFaults(service, path), ...givenFaults(service, path))
    services[name] = place?.isHere(name) ? placed(service, place, path, faults) : service
  }
  return services
}

/** What the system would get to see no more than the beginning of: its texts end at a NUL (POSIX.1-2024, exec). */
function nulFaults({ run, build, dir, ready, env }: OwnService, path: Path): readonly Fault[] {
  const texts: readonly (readonly [at: Path, text: string])[] = [
    ...wordsAt('run', run),
    ...wordsAt('build', build ?? []),
    [['dir'], dir],
    ...(ready.by === 'exec' ? [[['ready'], ready.command] as const] : []),
    ...Object.entries(env).map(([name, text]) => [['env', name], text] as const),
  ]
  return texts.flatMap(([at, text]) =>
    text.includes('\0')
      ? [
          {
            path: [...path, ...at],
            message: 'it holds a NUL character (\\0), which no command can be given; leave it out',
          },
        ]
      : [],
  )
}

function wordsAt(field: string, words: string | readonly string[]): readonly (readonly [at: Path, text: string])[] {
  return typeof words === 'string' ? [[[field], words]] : words.map((word, index) => [[field, index], word])
}

/** Variables and secrets that would take the place of what the platform gives. */
function givenFaults({ env, secrets }: OwnService, path: readonly string[]): readonly Fault[] {
  const named = [
    ...Object.keys(env).map((name) => ({ name, at: ['env', name] })),
    ...secrets.map((name, index) => ({ name, at: ['secrets', index] })),
  ]
  return named.flatMap(({ name, at }) =>
    isGivenVariable(name)
      ? [{ path: [...path, ...at], message: `${name} is given by the platform; leave it out` }]
      : [],
  )
}

function placed(
  service: OwnService,
  { folder, environment }: OwnServicesOptions,
  path: readonly string[],
  faults: Fault[],
): OwnService {
  const dir = resolve(folder, service.dir)
  if (!dir.includes('\0') && !isFolder(dir))
    faults.push({ path: [...path, 'dir'], message: `there is no folder ${dir}` })
  return { ...service, dir, env: filledIn(service.env, environment, [...path, 'env'], faults) }
}

function filledIn(
  env: OwnService['env'],
  environment: OwnServicesOptions['environment'],
  path: readonly string[],
  faults: Fault[],
): OwnService['env'] {
  const filled: Record<string, string> = {}
  for (const [variable, text] of Object.entries(env)) {
    try {
      filled[variable] = fillText(text, environment)
    } catch (fault) {
      if (!(fault instanceof MissingVariable)) throw fault
      faults.push({ path: [...path, variable], message: fault.message })
    }
  }
  return filled
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
