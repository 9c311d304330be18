import type { OwnServices } from '../../kit/config/own-service.ts'

/** The CLI words of the roles that users' services bring with them: `outbound`, as soon as one of them has a door to call by, or to receive by. */
export function rolesForDoors(services: OwnServices): readonly string[] {
  const hasDoors = Object.values(services).some(
    ({ calls, receives }) => calls !== 'direct' || Object.keys(receives).length > 0,
  )
  return hasDoors ? ['outbound'] : []
}
