import type { Override } from '../config/override.ts'
import { endpointsFault } from '../discovery/endpoint.ts'
import { levelOf } from '../telemetry/level-names.ts'
import type { Variables } from './definition.ts'

/** What the environment says of a service besides what it says of a role (config/environment.ts). */
export interface ServiceEnvironment {
  /** Whoever started it keeps it in the registry and reads its output (MSVC_SUPERVISED). */
  readonly isKept: boolean
  /** INSTANCE_ID. */
  readonly instance?: string
  /** In token mode, its own token's file (MSVC_TOKEN_FILE) and where the keys of callers' tokens are (GATEWAY_URL). */
  readonly token?: { readonly file: string; readonly gatewayUrl: string }
  /** DATA_DIR. */
  readonly data?: string
  /** DATABASE_URL, whatever it says. */
  readonly store?: string
  readonly overrides: readonly Override[]
  readonly faults: readonly string[]
}

/** The section that stands for the service where the configuration is put together: a name that nothing of the platform has. */
export const SECTION = 'service'

const INSTANCE = /^[\w.:-]{1,128}$/
/**
 * What would be taken for places of a role: a service has the platform's broker and no cache, and its database, which may be one of its own that the
 * kit doesn't know, is looked at when it asks for the kit's store.
 */
const PLACES = ['NATS_URL', 'REDIS_URL', 'DATABASE_URL']

/**
 * Reads what `msvc up` gives a service, or whoever starts it by hand: HOST, INSTANCE_ID, LOG_LEVEL, DATA_DIR, MSVC_SUPERVISED, MSVC_TOKEN_FILE with
 * GATEWAY_URL, MSVC_ENVIRONMENT, and each `<NAME>_URL` with a web address as that of the service `<name>`. An empty variable counts as absent.
 */
export function readServiceEnvironment(variables: Variables): ServiceEnvironment {
  const get = (name: string) => variables[name] || undefined
  const faults: string[] = []
  const overrides: Override[] = []
  const take = (from: string, path: Override['path'], value: unknown = get(from)) => {
    if (value !== undefined) overrides.push({ path, value, from })
  }

  take('HOST', [SECTION, 'host'])
  const level = get('LOG_LEVEL')
  take('LOG_LEVEL', ['log', 'level'], level === undefined ? undefined : (levelOf(level) ?? level))
  take('MSVC_ENVIRONMENT', ['environment'])
  for (const [name, value] of Object.entries(variables)) {
    const service = serviceOf(name)
    if (service === undefined || !value || !/^https?:/i.test(value)) continue
    const fault = endpointsFault(value)
    if (fault !== undefined)
      faults.push(`${name}: an address such as http://127.0.0.1:8500 is wanted; this is ${fault}`)
    else take(name, ['services', service], value)
  }

  const instance = get('INSTANCE_ID')
  if (instance !== undefined && !INSTANCE.test(instance))
    faults.push('INSTANCE_ID: expected letters, digits, dots, colons and dashes, at most 128 of them')
  const file = get('MSVC_TOKEN_FILE')
  const gatewayUrl = get('GATEWAY_URL')
  if (file !== undefined) take('MSVC_TOKEN_FILE', ['auth', 'mode'], 'token')
  if (file !== undefined && gatewayUrl === undefined)
    faults.push(
      "GATEWAY_URL: missing beside MSVC_TOKEN_FILE; the gateway has the keys by which callers' tokens are checked",
    )
  const data = get('DATA_DIR')
  const store = get('DATABASE_URL')
  return {
    isKept: get('MSVC_SUPERVISED') === '1',
    ...(instance !== undefined && { instance }),
    ...(file !== undefined && gatewayUrl !== undefined && { token: { file, gatewayUrl } }),
    ...(data !== undefined && { data }),
    ...(store !== undefined && { store }),
    overrides,
    faults,
  }
}

/** The variables without those that speak of places, or of a platform's settings (`MSVC_CACHE`): a service may be started beside one, with the same environment. */
export function withoutPlaces(variables: Variables): Variables {
  return Object.fromEntries(
    Object.entries(variables).filter(
      ([name]) => !PLACES.includes(name.replace(/_FILE$/, '')) && !name.startsWith('MSVC_'),
    ),
  )
}

/** The service whose address a variable has (the inverse of `addressVariable`); undefined for a variable of another kind. */
function serviceOf(variable: string): string | undefined {
  const [, name] = /^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)_URL$/.exec(variable) ?? []
  return name?.toLowerCase().replaceAll('_', '-')
}
