import { AppError } from '../../kit/errors.ts'
import { didYouMean } from '../../kit/nearest.ts'
import type { AnyRole } from '../../kit/role.ts'
import { loadRole, loadRoles, ROLE_NAMES } from '../../roles/catalog.ts'

/** A role by its CLI word. Throws AppError `USAGE` that lists the roles there are. */
export async function findRole(name: string): Promise<AnyRole> {
  const role = await loadRole(name)
  if (role) return role
  throw new AppError(
    'USAGE',
    `there is no role ${name}${didYouMean(name, ROLE_NAMES)} (roles: ${ROLE_NAMES.join(', ')})`,
  )
}

/** A line a role for `msvc serve --help`. */
export async function describeRoles(): Promise<string> {
  const roles = await loadRoles()
  return roles.map(({ name, port, summary }) => `  ${name.padEnd(14)} ${String(port).padEnd(5)} ${summary}`).join('\n')
}

/** `; did you mean order-service?` for a name that none of the platform's services has; nothing when it has one, or no name is near. */
export async function meantService(name: string): Promise<string> {
  const services = [...new Set((await loadRoles()).map(({ service }) => service))]
  return services.includes(name) ? '' : didYouMean(name, services)
}
