import type { OwnServices } from '../../kit/config/own-service.ts'
import type { Unit } from '../../kit/supervisor/unit.ts'

/** The unit by which requests come in from outside: its port stays open while the platform becomes another program. */
export const ENTRANCE = 'gateway'

/**
 * The units of users' services that requests from outside may be for, by their names: those that listen, but for what waits for the entrance itself.
 * @param units all that there are
 */
export function behindEntrance(
  units: readonly Pick<Unit, 'name' | 'replicaOf' | 'needs'>[],
  own: OwnServices,
): readonly string[] {
  const needs = new Map(units.map((unit) => [unit.replicaOf, unit.needs]))
  const waits = (name: string): boolean => name === ENTRANCE || (needs.get(name) ?? []).some(waits)
  return units.flatMap(({ name, replicaOf }) => {
    const service = own[replicaOf]
    return service && service.ready.by !== 'none' && !waits(replicaOf) ? [name] : []
  })
}
