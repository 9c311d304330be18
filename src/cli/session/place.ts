import { addressOf, type Settings } from '../../kit/config/schema.ts'
import { addressVariable } from '../../kit/discovery/address-variable.ts'
import { parseEndpoints, printEndpoint } from '../../kit/discovery/endpoint.ts'
import { AppError } from '../../kit/errors.ts'
import type { AnyRole } from '../../kit/role.ts'
import type { Configured } from './configuration.ts'
import type { RunState } from './run-state.ts'
import type { GlobalOptions } from './session.ts'

/** Where a role is. */
export interface Place {
  readonly url: string
  /** Other replicas of the role, for when nobody listens there. */
  readonly elsewhere: readonly string[]
  /** What its tokens are for: the name that it is registered by. */
  readonly service: string
  /** Whether it is only where the configuration has the role, since nothing runs on the data folder: somebody else's platform may be there. */
  readonly isGuess: boolean
}

/** What is looked through for a role. */
interface Known extends Pick<Configured, 'sections'> {
  readonly settings: Pick<Settings, 'data' | 'services'>
  readonly roles: readonly Pick<AnyRole, 'name' | 'service'>[]
  readonly running: readonly Pick<RunState, 'roles'>[]
}

/**
 * Where a role is, by its CLI word: at a static address (BROKER_URL), where it runs on the data folder, or else where the configuration has it.
 * Throws AppError `UNREACHABLE` rather than guess where `--data` named the platform, or one runs on the folder without that role, unless `--config`
 * says where it is.
 */
export function locate(name: string, known: Known, options: Pick<GlobalOptions, 'config' | 'data'>): Place {
  const { settings, sections, roles, running } = known
  const service = roles.find((role) => role.name === name)?.service ?? name
  const [fixed, ...others] = parseEndpoints(settings.services[service] ?? '').map(printEndpoint)
  if (fixed !== undefined) return { url: fixed, elsewhere: others, service, isGuess: false }
  const [unit, ...replicas] = running.flatMap((state) => state.roles).filter((candidate) => candidate.role === name)
  if (unit) return { url: unit.url, elsewhere: replicas.map(({ url }) => url), service: unit.service, isGuess: false }
  const isNamed = options.config !== undefined
  if (!isNamed && running.length > 0)
    throw absent(`${name} isn't part of what runs on ${settings.data}, or not yet`, service)
  if (!isNamed && options.data !== undefined) throw absent(nothingRuns(settings.data), service)
  const section = sections[name]
  const url = section ? addressOf(section) : 'http://127.0.0.1'
  return { url, elsewhere: [], service, isGuess: running.length === 0 }
}

/** Says that a data folder is only kept. */
export function nothingRuns(data: string): string {
  return `no platform runs on ${data}`
}

/** How a command is told where a service is. */
export function whereElse(service: string): string {
  return `--data, or ${addressVariable(service)}`
}

function absent(what: string, service: string): AppError {
  return new AppError('UNREACHABLE', `${what}; start it with msvc up, or say where it is: ${whereElse(service)}`)
}
