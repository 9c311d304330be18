import { type Expression, type SqlBool, sql } from 'kysely'
import { AppError } from '../errors.ts'
import type { Asker } from './asker.ts'
import type { Scope } from './scopes.ts'

/** Sees and changes everybody's things. */
const ADMIN: Scope = 'admin'

/**
 * Which of the things that have owners are there for an asker.
 * @example const baskets = (view: View) => db.selectFrom('baskets').selectAll().where(visibleTo(view)).execute()
 */
export type View =
  | { readonly sees: 'all' }
  | { readonly sees: 'own'; readonly owner: string }
  | { readonly sees: 'nothing' }

const ALL: View = { sees: 'all' }
const NOTHING: View = { sees: 'nothing' }

/**
 * Decides ownership from who asks (design §6). A person sees his own things, and with the scope `admin` everybody's. A service sees all
 * when a scope of its own says so, and so does a local caller. Nobody sees nothing; neither does somebody of whom nothing is known.
 * @param things as scopes name them, such as `orders`
 * @example viewOf(currentScope()?.asker, 'orders')
 */
export function viewOf(asker: Asker | undefined, things: string): View {
  switch (asker?.is) {
    case 'local':
      return ALL
    case 'user':
      return asker.scopes.has(ADMIN) ? ALL : { sees: 'own', owner: asker.subject }
    case 'service': {
      const { scopes } = asker
      const may = scopes.has(`${things}:read`) || scopes.has(`${things}:write`) || scopes.has(ADMIN)
      return may ? ALL : NOTHING
    }
    default:
      return NOTHING
  }
}

/** Which rows of a table with owners, in its column `owner`, a view lets one see. @example db.selectFrom('orders').where(visibleTo(view)) */
export function visibleTo(view: View): Expression<SqlBool> {
  switch (view.sees) {
    case 'all':
      return sql.lit(true)
    case 'own':
      return sql`${sql.ref('owner')} = ${view.owner}`
    case 'nothing':
      return sql.lit(false)
  }
}

/**
 * Lets everybody pass who is somebody. Throws AppError `UNAUTHENTICATED` for nobody. @param why such as "An order belongs to who places it"
 * @example const asker = wantSomebody(currentScope()?.asker, 'A basket belongs to who fills it')
 */
export function wantSomebody<A extends Asker>(asker: A | undefined, why: string): Exclude<A, { is: 'nobody' }> {
  if (asker && isSomebody(asker)) return asker
  throw new AppError('UNAUTHENTICATED', 'Unauthorized', {
    detail: `${why}: send a token`,
    headers: { 'www-authenticate': 'Bearer' },
  })
}

function isSomebody<A extends Asker>(asker: A): asker is Exclude<A, { is: 'nobody' }> {
  return asker.is !== 'nobody'
}

/**
 * Whether who asks is a service that isn't this one: a service speaks and looks for itself alone. What persons and local callers may, scopes and
 * the mode say.
 */
export function isAnotherService(asker: Asker | undefined, service: string): boolean {
  return asker?.is === 'service' && asker.subject !== service
}
