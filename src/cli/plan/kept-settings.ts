import type { Places } from '../../kit/config/places.ts'
import type { Section, Settings } from '../../kit/config/schema.ts'
import { isRecord } from '../../kit/record.ts'
import type { Configured } from '../session/configuration.ts'

/** What of a configuration roles and services are planned by. */
type Planning = Pick<Configured, 'settings' | 'sections'>

/** Roles that whoever supervises a platform talks to itself, from its start to its end where it found them. */
const REACHED: ReadonlySet<string> = new Set(['registry', 'config-server', 'log-server', 'broker'])

/**
 * Keeps what a running platform can't change of its configuration as it was at its start: where it keeps things, whose tokens it takes, in which environment,
 * format and processes it runs, and where it is found itself. All other settings are the wanted ones.
 * @param places where the platform is now: it may have moved
 * @returns the configuration to go by, and what it leaves out of the wanted one, by path such as `auth.mode`
 */
export function keepSettings<C extends Planning>(
  first: Planning,
  wanted: C,
  { data, store, bus, cache }: Places,
): { readonly configured: C; readonly pending: readonly string[] } {
  const { environment, auth, log, services, up } = first.settings
  const settings: Settings = {
    ...wanted.settings,
    ...{ environment, data, store, bus, cache },
    auth: { ...auth, hosts: wanted.settings.auth.hosts, origins: wanted.settings.auth.origins },
    log: { ...wanted.settings.log, format: log.format },
    up: { ...wanted.settings.up, in_process: up.in_process, advertise: up.advertise },
    services: { ...without(wanted.settings.services, REACHED), ...only(services, REACHED) },
  }
  const sections = Object.fromEntries(
    Object.entries(wanted.sections).map(([name, section]) => {
      const before = REACHED.has(name) ? first.sections[name] : undefined
      return [name, before ? listeningAs(section, before) : section]
    }),
  )
  const kept = { settings, sections }
  return {
    configured: { ...wanted, ...kept },
    pending: [...differing(settings, wanted.settings), ...differing(sections, wanted.sections)].toSorted(),
  }
}

function listeningAs(section: Section, { host, port, advertise }: Section): Section {
  const { advertise: _, ...own } = section
  return { ...own, host, port, ...(advertise !== undefined && { advertise }) }
}

function only<T>(values: Readonly<Record<string, T>>, names: ReadonlySet<string>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name)))
}

function without<T>(values: Readonly<Record<string, T>>, names: ReadonlySet<string>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !names.has(name)))
}

/** The paths at which two values differ, as deep as both are objects. */
function differing(one: unknown, other: unknown, path = ''): readonly string[] {
  if (isRecord(one) && isRecord(other))
    return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((key) =>
      differing(one[key], other[key], path === '' ? key : `${path}.${key}`),
    )
  return JSON.stringify(one) === JSON.stringify(other) ? [] : [path]
}
