import { AppError } from '../../../kit/errors.ts'
import type { Deployment, RolePart, ServicePart } from '../deployment.ts'

/** Roles that others find at a port that is told to them: a second one would have another, which nobody knows. */
const AT_THEIR_PORT: ReadonlySet<string> = new Set(['registry', 'config-server', 'log-server', 'broker'])

/**
 * How many units a role has. More than one only where they share their stores: a database in a unit's own folder is its own. Throws AppError `USAGE` where more
 * are asked for than can be.
 */
export function replicasOf({ stores, scale }: Pick<Deployment, 'stores' | 'scale'>, role: RolePart): number {
  const { name, replicas } = role
  const own = stores.filter(({ kind, elsewhere, here }) => role.stores.includes(kind) && !elsewhere && !here)
  const why = role.isEntrance
    ? 'systemd holds its port for one of them'
    : AT_THEIR_PORT.has(name)
      ? 'others find it at its port, which only one can have'
      : own.length > 0
        ? `each would have a database of its own; name a server first, such as ${own.map(({ variable }) => variable).join(' and ')}`
        : undefined
  if (why === undefined) return replicas
  if ((scale.get(name) ?? 1) > 1)
    throw new AppError('USAGE', `--scale ${name}=${replicas}: one machine has one ${name}, as ${why}`)
  return 1
}

/** The units of a part. A service's replicas are in one, as under `msvc up`. */
export function unitNames(deployment: Deployment, part: RolePart | ServicePart): readonly string[] {
  const count = 'stores' in part ? replicasOf(deployment, part) : 1
  if (count === 1) return [`msvc-${part.name}.service`]
  return Array.from({ length: count }, (_, index) => `msvc-${part.name}@${index + 1}.service`)
}
