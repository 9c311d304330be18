import { schemeOf } from '../../drivers/by-scheme.ts'
import { isLoopbackName } from '../discovery/address-rule.ts'
import { parseEndpoints, printEndpoint } from '../discovery/endpoint.ts'
import { didYouMean } from '../nearest.ts'
import type { Fault } from './explain.ts'
import { exportPlace } from './export-target.ts'
import type { Section, Settings } from './schema.ts'

/** A role as these rules see it. */
export interface PlacedRole {
  readonly name: string
  readonly section: Section
  /** Whether the port was chosen, not the default: a clash is reported where someone can change it. */
  readonly portGiven: boolean
}

/**
 * What no single value shows: two roles on one port, an open address without tokens (Kong CVE-2020-11710), several registries with nothing
 * between them.
 * @param placed the roles that will run on this machine at the same time
 */
export function crossFaults(settings: Settings, placed: readonly PlacedRole[]): readonly Fault[] {
  return [
    ...placed.flatMap(({ name, section }) => openAddress(settings, section.host, [name, 'host'])),
    ...openAddress(settings, settings.up.host, ['up', 'host']),
    ...keyFaults(settings),
    ...portFaults(placed),
    ...registryFaults(settings, placed),
    ...exportFaults(settings, placed),
  ]
}

/** Roles to be left out that there are not. @param roles every role that has a section */
export function leavingFaults({ up }: Settings, roles: readonly { readonly name: string }[]): readonly Fault[] {
  const names = roles.map(({ name }) => name)
  return up.without.flatMap((name, index): readonly Fault[] => {
    if (names.includes(name)) return []
    const message = `there is no role ${name}${didYouMean(name, names)} (there are ${names.join(', ')})`
    return [{ path: ['up', 'without', index], message }]
  })
}

function openAddress({ auth }: Settings, host: string, path: Fault['path']): readonly Fault[] {
  if (auth.mode !== 'local' || isLoopbackName(host)) return []
  const message = `${host} can be reached from other machines, which auth.mode local does not protect; use 127.0.0.1, or set auth.mode: token`
  return [{ path, message }]
}

/** Whoever only checks tokens has no key to sign with, and shows a token that somebody gave him. */
function keyFaults({ auth }: Settings): readonly Fault[] {
  const { mode, key_file: keyFile, jwks, token_file: tokenFile } = auth
  if (jwks === undefined) return []
  const at = (message: string): readonly Fault[] => [{ path: ['auth', 'jwks'], message }]
  if (keyFile !== undefined)
    return at('auth.key_file (MSVC_KEY_FILE) is said too, which has all keys already; leave one of them out')
  if (mode === 'local') return at('nobody shows a token in auth.mode: local; set auth.mode: token, or leave it out')
  if (tokenFile !== undefined) return []
  return at(
    'a role without the key can make no token for its own calls; name the file with one by auth.token_file (MSVC_TOKEN_FILE)',
  )
}

function portFaults(placed: readonly PlacedRole[]): readonly Fault[] {
  return placed.flatMap((role, index) => {
    const other = placed.slice(0, index).find(({ section }) => clash(section, role.section))
    if (!other) return []
    const [at, holder] = role.portGiven || !other.portGiven ? [role, other] : [other, role]
    return [
      { path: [at.name, 'port'], message: `${at.section.port} is ${holder.name}'s port too; give each role its own` },
    ]
  })
}

/** Several registries that share nothing would each know only who came to it. */
function registryFaults({ services, cache }: Settings, placed: readonly PlacedRole[]): readonly Fault[] {
  const count = parseEndpoints(services.registry ?? '').length
  if (count < 2 || schemeOf(cache) !== 'memory:' || !placed.some(({ name }) => name === 'registry')) return []
  const message = `these ${count} registries would know nothing of each other, as each has a cache of its own; set cache: redis://… (REDIS_URL), the same for all, or name one registry`
  return [{ path: ['services', 'registry'], message }]
}

/** What a log server sends to itself it would store, and send again. */
function exportFaults({ telemetry, services }: Settings, placed: readonly PlacedRole[]): readonly Fault[] {
  const sections = placed.filter(({ name }) => name === 'log-server').map(({ section }) => section)
  const elsewhere = parseEndpoints(services['log-server'] ?? '')
  return telemetry.export.flatMap((target, index) => {
    const { kind, endpoint } = exportPlace(target)
    const { host, port } = endpoint
    const isItself =
      sections.some((section) => section.port === port && isHostOf(section, host)) ||
      elsewhere.some((other) => other.port === port && other.host === host)
    if (!isItself) return []
    const message = `${printEndpoint(endpoint)} is this platform's own log server, which would send everything to itself again and again; name another place`
    return [{ path: ['telemetry', 'export', index, kind], message }]
  })
}

function isHostOf({ host, advertise = '' }: Section, name: string): boolean {
  return isLoopbackName(name) || name === host || name === advertise.replace(/:\d+$/, '')
}

function clash(a: Section, b: Section): boolean {
  if (a.port === 0 || a.port !== b.port) return false
  return a.host === b.host || isAnyAddress(a.host) || isAnyAddress(b.host)
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
