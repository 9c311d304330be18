import { join } from 'node:path'
import { isGivenVariable } from '../../config/given-variables.ts'
import { addressVariable } from '../../discovery/address-variable.ts'

/** What a service is told of the platform. */
export interface ServiceSurroundings {
  /** What it is registered as. */
  readonly service: string
  /** `development`, `production`, … */
  readonly environment: string
  /** Where it should listen; undefined for a worker. */
  readonly place: { readonly host: string; readonly port: number } | undefined
  /** The platform's data folder. */
  readonly data: string
  /** Where it reaches roles and services, by registered name. */
  readonly urls: Readonly<Record<string, string>>
  /** What it inherits: the platform's own environment, but for what is the platform's alone. */
  readonly inherited: Readonly<Record<string, string | undefined>>
  /** What the file says; wins over all but the given variables. */
  readonly own: Readonly<Record<string, string>>
}

/** What tells the platform itself where its stores are and who it is: no service's business, and passwords are among it. So is each setting's `MSVC_…`. */
const THE_PLATFORMS = new Set([
  ...['DATABASE_URL', 'DB_HOST', 'DB_PORT', 'NATS_URL', 'REDIS_URL', 'PGPASSWORD', 'PGPASSFILE'],
  ...['ADVERTISE', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE'],
])

/** Whether a variable is the platform's own, or names a file with it (`DATABASE_URL_FILE`), or says a setting of it (`MSVC_STORE`, `MSVC_KEY_FILE`). */
function isThePlatforms(name: string): boolean {
  return THE_PLATFORMS.has(name.replace(/_FILE$/, '')) || name.startsWith('MSVC_') || isGivenVariable(name)
}

/** By what a service knows them (seed 9.7.10). */
const GATEWAY = 'api-gateway'
const LOG_SERVER = 'log-server'

/**
 * The environment of a service, in any language: where it listens, where everything is, and where OpenTelemetry's SDKs send to
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). What each of its processes is told of itself comes besides.
 */
export function serviceEnvironment(surroundings: ServiceSurroundings): Readonly<Record<string, string>> {
  const { service, environment, place, data, urls, inherited, own } = surroundings
  const variables = Object.entries(urls).map(([name, url]) => [addressVariable(name), url])
  const kept = Object.entries(inherited).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !isThePlatforms(entry[0]),
  )
  const { [GATEWAY]: gateway, [LOG_SERVER]: logs } = urls
  return {
    // a line that waits in a buffer for more is seen too late
    PYTHONUNBUFFERED: '1',
    // what Node has compiled is there at the next start (https://nodejs.org/api/module.html#module-compile-cache)
    NODE_COMPILE_CACHE: join(data, 'services', 'node-compile-cache'),
    ...Object.fromEntries(kept),
    ...Object.fromEntries(variables),
    ...(gateway !== undefined && { GATEWAY_URL: gateway }),
    ...(logs !== undefined && { OTEL_EXPORTER_OTLP_ENDPOINT: logs, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }),
    OTEL_SERVICE_NAME: service,
    OTEL_RESOURCE_ATTRIBUTES: `deployment.environment.name=${environment}`,
    ...own,
    // those of the given ones that are the same for each process
    ...(place && { HOST: place.host, PORT: String(place.port) }),
    SERVICE_NAME: service,
    MSVC_ENVIRONMENT: environment,
    MSVC_SUPERVISED: '1',
  }
}

/**
 * The same for one process of it, which has an id of its own.
 * @param variables what it is told besides; wins over all but the given variables that `env` has
 */
export function processEnvironment(
  env: Readonly<Record<string, string>>,
  instance: string,
  variables: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const given = Object.entries(env).filter(([name]) => isGivenVariable(name))
  const told = { ...env, ...variables, ...Object.fromEntries(given) }
  const { OTEL_RESOURCE_ATTRIBUTES: attributes } = told
  return {
    ...told,
    INSTANCE_ID: instance,
    OTEL_RESOURCE_ATTRIBUTES: [`service.instance.id=${instance}`, attributes].filter(Boolean).join(','),
  }
}
