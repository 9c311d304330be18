import type { OwnServices } from '../../kit/config/own-service.ts'
import { addressOf, type Section } from '../../kit/config/schema.ts'
import type { KeptPorts } from '../../kit/supervisor/free-port.ts'
import type { RolePlan } from '../../kit/supervisor/role-unit.ts'
import type { Door } from '../../roles/outbound/config.ts'
import { outbound } from '../../roles/outbound/role.ts'
import type { Planned } from '../plan/planner.ts'

/** Where doors are. */
const HOST = '127.0.0.1'
/** Who delivers messages to services. */
const BROKER = 'broker'

/** What doors are planned by. */
export interface DoorsOptions {
  readonly services: OwnServices
  /** Registered names of all that can be called. */
  readonly callable: readonly string[]
  /** Whether the broker is here, to deliver by doors too. */
  readonly delivers: boolean
  /** A free port by a name, the same each time it is asked for. */
  readonly portOf: KeptPorts
}

/** A way from each service to each other one, and from the broker to those that receive; none for a service whose `calls` are direct. */
export async function planDoors({ services, callable, delivers, portOf }: DoorsOptions): Promise<readonly Door[]> {
  const calls = Object.entries(services).flatMap(([caller, { calls: policies }]) =>
    policies === 'direct'
      ? []
      : callable
          .filter((upstream) => upstream !== caller)
          .map((upstream) => ({ caller, upstream, ...(Object.hasOwn(policies, upstream) && policies[upstream]) })),
  )
  const deliveries = Object.entries(services).flatMap(([upstream, { receives }]) =>
    // the broker tries again by itself, and says to whom it was in vain
    delivers && Object.keys(receives).length > 0 ? [{ caller: BROKER, upstream, attempts: 1 }] : [],
  )
  return Promise.all(
    [...calls, ...deliveries].map(async (door) => ({
      ...door,
      port: await portOf(`${door.caller}->${door.upstream}`, HOST),
    })),
  )
}

/** Where a service reaches another one by its door; undefined where there is none. */
export function doorUrl(doors: readonly Door[], caller: string, upstream: string): string | undefined {
  const door = doors.find((each) => each.caller === caller && each.upstream === upstream)
  return door && addressOf({ host: HOST, port: door.port })
}

/** The role that holds doors open, where there are any. */
export function outboundPlan({ configured, wish, roles }: Planned, doors: readonly Door[]): readonly RolePlan[] {
  const registryUrl = roles[0]?.job.registryUrl ?? configured.settings.services.registry
  if (doors.length === 0 || registryUrl === undefined) return []
  const { name, port, needs, reloads } = outbound
  const section: Section = configured.sections[name] ?? { host: '127.0.0.1', port }
  const own = Array.isArray(section.doors) ? section.doors : []
  const shifted = section.port === 0 ? 0 : section.port + wish.portOffset
  return [
    {
      unit: name,
      needs,
      reloads,
      job: {
        role: name,
        settings: configured.settings,
        section: { ...section, port: shifted, doors: [...own, ...doors] },
        registryUrl,
      },
    },
  ]
}
