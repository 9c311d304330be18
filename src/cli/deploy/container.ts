import { settingVariable } from '../../kit/config/setting-variables.ts'
import { addressVariable } from '../../kit/discovery/address-variable.ts'
import type { Deployment, RolePart, ServicePart } from './deployment.ts'
import { addressFile } from './platform-secrets.ts'

/** User and group of every container, by number, as a cluster wants it that lets no root in. */
export const CONTAINER_USER = 10_001
/** The one folder of a container that can be written: a volume's, which is open to all, whoever the container's user is. */
export const VOLUME = '/data'
/** Where a container keeps what it keeps: made by its user, for itself alone. */
export const DATA_FOLDER = `${VOLUME}/msvc`
/** A share of the memory that a container may take, which leaves room for what lies outside of the heap: Node alone takes half, and no less than 262 MB. */
export const HEAP_OPTIONS = '--max-old-space-size-percentage=60'
/** Where the user's file is in a container of a role. */
export const CONFIG_FILE = '/etc/msvc/msvc.yaml'
/** Where secrets are, a file each. */
export const SECRETS_FOLDER = '/run/secrets'
/** Where the folder of the file is in an image of a service, with the folder of that service in it. */
export const APP = '/app'
/** Where the program is. */
export const PROGRAM = '/usr/local/bin/msvc'

/** An amount of memory as it is written. @example memoryText(1_024, 'Mi', 'Gi') // '1Gi' */
export function memoryText(megabytes: number, mega: string, giga: string): string {
  return megabytes % 1_024 === 0 ? `${megabytes / 1_024}${giga}` : `${megabytes}${mega}`
}

/** IPv4 and IPv6, as far as a network has them. */
const EVERY_ADDRESS = '::'

/** What a role is told in a container, by variable, but for secrets. */
export function roleEnvironment(
  { environment, roles, hosts }: Deployment,
  { name }: Pick<RolePart, 'name'>,
): Readonly<Record<string, string>> {
  const registry = roles.find((role) => role.name === 'registry')
  return {
    MSVC_ENVIRONMENT: environment,
    MSVC_DATA: DATA_FOLDER,
    MSVC_AUTH_MODE: 'token',
    // each is asked by its name; whoever comes from outside by one of the file's
    MSVC_AUTH_HOSTS: [...new Set([...hosts, 'localhost', ...roles.map((role) => role.name)])].join(),
    MSVC_LOG_FORMAT: 'json',
    [settingVariable([name, 'host'])]: EVERY_ADDRESS,
    ...(registry && name !== 'registry' && { REGISTRY_URL: `http://registry:${registry.port}` }),
  }
}

/** What a service of the user's is told in a container of its own, where `msvc up --only` runs it away from the platform, by variable, but for secrets. */
export function serviceEnvironment({ environment, roles, hosts }: Deployment, { name }: Pick<ServicePart, 'name'>) {
  const addresses = roles.flatMap((role): readonly (readonly [string, string])[] =>
    PLATFORM.has(role.service) ? [[addressVariable(role.service), `http://${role.name}:${role.port}`]] : [],
  )
  return {
    MSVC_ENVIRONMENT: environment,
    MSVC_DATA: DATA_FOLDER,
    MSVC_AUTH_MODE: 'token',
    MSVC_AUTH_HOSTS: [...new Set([...hosts, 'localhost', name])].join(),
    MSVC_LOG_FORMAT: 'json',
    // its program gets it as HOST, and what many programs make of :: is IPv6 alone
    MSVC_UP_HOST: '0.0.0.0',
    // its image is built already
    MSVC_UP_BUILD: 'false',
    MSVC_OUTBOUND_HOST: EVERY_ADDRESS,
    ...Object.fromEntries(addresses),
  } satisfies Readonly<Record<string, string>>
}

/** Registered names of what every service may call by an address of its own. */
const PLATFORM: ReadonlySet<string> = new Set(['registry', 'config-server', 'log-server', 'broker', 'api-gateway'])

/** Secrets of a role: which variable names the file of which. */
export function roleSecrets(
  { stores }: Pick<Deployment, 'stores'>,
  role: Pick<RolePart, 'name' | 'stores'>,
): Readonly<Record<string, string>> {
  const own = stores.filter(({ kind }) => role.stores.includes(kind))
  return {
    MSVC_KEY_FILE: 'signing-key',
    // what one server has sealed another must open
    ...(role.name === 'config-server' && { MSVC_CONFIG_SERVER_KEY_FILE: 'config-key' }),
    ...Object.fromEntries(own.map(({ variable }) => [`${variable}_FILE`, addressFile(variable)])),
  }
}
