import { addressVariable } from '../discovery/address-variable.ts'
import { explain } from './explain.ts'
import type { Path } from './locate.ts'
import type { EnvironmentValues, Override } from './override.ts'
import { Listen } from './schema.ts'
import { shown } from './shown.ts'

/** Variables with names of their own, which the seed's compose file gives; the addresses of services come besides. */
const NAMES: ReadonlySet<string> = new Set([
  ...[
    'DB_HOST',
    'DB_PORT',
    'DATABASE_URL',
    'REDIS_URL',
    'NATS_URL',
    'MSVC_KEY_FILE',
    'MSVC_TOKEN_FILE',
    'MSVC_ENVIRONMENT',
  ],
  ...['ADVERTISE', 'PORT', 'SERVICE_NAME'],
])

/** Whether `readNamedVariables` looks at a variable. */
export function isNamedVariable(name: string, roles: readonly { readonly service: string }[]): boolean {
  return NAMES.has(name) || roles.some(({ service }) => addressVariable(service) === name)
}

/**
 * The variables of the seed's compose file (9.7.10) as configuration values. `PORT` and `SERVICE_NAME` speak of the one role that is served,
 * and are only checked when there are several; so does `ADVERTISE`. A service's static address is its name in capitals: REGISTRY_URL, CONFIG_SERVER_URL,
 * LOG_SERVER_URL, BROKER_URL, USER_SERVICE_URL and so on. MSVC_KEY_FILE is that of `auth.key_file`, MSVC_TOKEN_FILE
 * that of `auth.token_file`, and MSVC_ENVIRONMENT that of `environment`, by which services are told theirs too. An empty variable counts as absent.
 */
export function readNamedVariables(
  environment: Readonly<Record<string, string | undefined>>,
  roles: readonly { readonly service: string }[],
  served?: string,
): EnvironmentValues {
  const get = (name: string) => environment[name] || undefined
  const overrides: Override[] = []
  const faults: string[] = []
  const take = (name: string, path: Path, value: unknown = get(name)) => {
    if (value !== undefined) overrides.push({ path, value, from: name })
  }

  for (const service of new Set(roles.map((role) => role.service)))
    take(addressVariable(service), ['services', service])
  const dbHost = get('DB_HOST')
  if (dbHost) take('DB_HOST', ['store'], `postgres://${dbHost}:${get('DB_PORT') ?? 5432}`)
  else if (get('DB_PORT')) faults.push('DB_PORT: set without DB_HOST; set both, or DATABASE_URL')
  take('MSVC_KEY_FILE', ['auth', 'key_file'])
  take('MSVC_TOKEN_FILE', ['auth', 'token_file'])
  take('MSVC_ENVIRONMENT', ['environment'])
  take('DATABASE_URL', ['store'])
  take('REDIS_URL', ['cache'])
  take('NATS_URL', ['bus'])

  if (served !== undefined) take('ADVERTISE', [served, 'advertise'])
  const text = get('PORT')
  const port = text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : text
  if (served !== undefined) take('PORT', [served, 'port'], port)
  else if (port !== undefined) faults.push(...explain(Listen.shape.port, port).map(({ message }) => `PORT: ${message}`))
  const service = get('SERVICE_NAME')
  if (service !== undefined && !SERVICE_NAME.test(service)) {
    faults.push(`SERVICE_NAME: expected letters, digits, dots and dashes, at most 63 of them, got ${shown(service)}`)
  }
  return { overrides, faults, ...(served !== undefined && service !== undefined && { service }) }
}

const SERVICE_NAME = /^[a-z0-9][a-z0-9.-]{0,62}$/i
