import { didYouMean } from '../kit/config/nearest.ts'
import { AppError } from '../kit/errors.ts'
import type { AnyRole } from '../kit/role.ts'
import { loadRole, ROLE_NAMES } from '../roles/catalog.ts'

/** A role by its CLI word. Throws AppError `USAGE` that lists the roles there are. */
export async function findRole(name: string): Promise<AnyRole> {
  const role = await loadRole(name)
  if (role) return role
  throw new AppError(
    'USAGE',
    `there is no role ${name}${didYouMean(name, ROLE_NAMES)} (roles: ${ROLE_NAMES.join(', ')})`,
  )
}
