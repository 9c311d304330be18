import { resolve } from 'node:path'
import * as z from 'zod'
import { loadConfiguration } from '../config/load.ts'
import type { Override } from '../config/override.ts'
import type { Section, Settings } from '../config/schema.ts'
import { AppError } from '../errors.ts'
import type { ServiceDefinition, Variables } from './definition.ts'
import { readServiceEnvironment, SECTION, type ServiceEnvironment, withoutPlaces } from './service-environment.ts'

/** All that a service is started with. */
export interface ServiceSetup extends Pick<ServiceEnvironment, 'isKept' | 'instance' | 'token'> {
  readonly settings: Settings
  readonly section: Section
  /** What it registers as. */
  readonly service: string
  /** Empty: it belongs to no platform. */
  readonly registryUrl: string
}

/** What the definition is put together with. */
export interface SetupOptions {
  readonly variables: Variables
  /** What relative paths start from. */
  readonly folder: string
}

/**
 * Puts a service's settings together: environment over definition over defaults. Rejects with AppError `CONFIG_INVALID` whose message has one
 * line a fault, all faults at once: `PORT: service.port: expected a whole number from 0 to 65535, got 80000`.
 */
export async function setUp(
  definition: Pick<ServiceDefinition, 'name' | 'port' | 'data' | 'settings'>,
  { variables, folder }: SetupOptions,
): Promise<ServiceSetup> {
  const { name, port = 0, settings: wanted = {} } = definition
  const environment = readServiceEnvironment(variables)
  const data = environment.data ?? definition.data ?? `.data/${name}`
  const said = Object.entries(wanted).map(([key, value]): Override => ({ path: [key], value, from: 'settings' }))
  const faults = [...environment.faults]
  const configuration = await loadConfiguration({
    roles: [{ name: SECTION, service: name, port, config: z.strictObject({}) }],
    together: [SECTION],
    served: SECTION,
    environment: withoutPlaces(variables),
    flags: [...said, { path: ['data'], value: data, from: 'DATA_DIR' }, ...environment.overrides],
    folder,
  }).catch((fault: unknown) => {
    if (!(fault instanceof AppError)) throw fault
    faults.push(fault.message)
    return undefined
  })
  const section = configuration?.sections[SECTION]
  const service = configuration?.service ?? name
  if (!SERVICE_NAME.test(service)) faults.push(`name: expected small letters, digits, dots and dashes, got ${service}`)
  if (!configuration || !section || faults.length > 0) throw new AppError('CONFIG_INVALID', faults.join('\n'))
  const { settings } = configuration
  const { isKept, instance, token, store = settings.store } = environment
  return {
    settings: { ...settings, data: resolve(folder, data), store },
    section,
    service,
    registryUrl: settings.services.registry ?? '',
    isKept,
    ...(instance !== undefined && { instance }),
    ...(token && { token }),
  }
}

/**
 * A service's own variables, checked.
 * @param schema an object, by the variables' names
 * Throws AppError `CONFIG_INVALID` with one line a fault, such as `STRIPE_KEY: missing`; no value is quoted.
 */
export function readOwn<S extends z.ZodObject>(schema: S, variables: Variables): z.output<S> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => (variables[name] ? [[name, variables[name]]] : [])),
  )
  const result = schema.safeParse(given)
  if (result.success) return result.data
  // in the words of zod, which quotes no value: any of them may be a secret
  const faults = result.error.issues.map(({ path, message }) => {
    const name = String(path[0])
    return `${name}: ${Object.hasOwn(given, name) ? message : 'missing'}`
  })
  throw new AppError('CONFIG_INVALID', faults.join('\n'))
}

/** As the registry takes names. */
const SERVICE_NAME = /^[a-z0-9][a-z0-9.-]{0,62}$/
