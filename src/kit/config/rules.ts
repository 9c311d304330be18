import { BUS_SCHEMES } from '../../drivers/bus/open.ts'
import { isLoopbackName } from '../discovery/address-rule.ts'
import type { Fault } from './explain.ts'
import type { Section, Settings } from './schema.ts'

/** Backends this build can open, by what asks for them. */
const SCHEMES = { store: ['sqlite:'], bus: BUS_SCHEMES, cache: ['memory:'] } as const

/** A role as these rules see it. */
export interface PlacedRole {
  readonly name: string
  readonly section: Section
  /** Whether the port was chosen, not the default: a clash is reported where someone can change it. */
  readonly portGiven: boolean
}

/**
 * What no single value shows: two roles on one port, an open address without tokens (Kong CVE-2020-11710), a backend that this build
 * has no driver for.
 * @param placed the roles that will run on this machine at the same time
 */
export function crossFaults(settings: Settings, placed: readonly PlacedRole[]): readonly Fault[] {
  return [...backendFaults(settings), ...placed.flatMap((role) => openAddress(settings, role)), ...portFaults(placed)]
}

function backendFaults(settings: Settings): readonly Fault[] {
  return (['store', 'bus', 'cache'] as const).flatMap((backend) => {
    const url = settings[backend]
    const schemes: readonly string[] = SCHEMES[backend]
    const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase()
    if (scheme !== undefined && schemes.includes(scheme)) return []
    const what = scheme === undefined ? 'expected a URL' : `this build has no ${backend} driver for ${scheme}`
    return [{ path: [backend], message: `${what}; use ${schemes.join(' or ')}` }]
  })
}

function openAddress({ auth }: Settings, { name, section }: PlacedRole): readonly Fault[] {
  if (auth.mode !== 'local' || isLoopbackName(section.host)) return []
  const message = `${section.host} can be reached from other machines, which auth.mode local does not protect; use 127.0.0.1, or set auth.mode: token`
  return [{ path: [name, 'host'], message }]
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

function clash(a: Section, b: Section): boolean {
  if (a.port === 0 || a.port !== b.port) return false
  return a.host === b.host || isAnyAddress(a.host) || isAnyAddress(b.host)
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
