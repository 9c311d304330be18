import type { Asker } from '../../kit/auth/asker.ts'
import { wantSomebody } from '../../kit/auth/ownership.ts'

/** Who places an order. */
export interface Placer {
  /** Whose the order is; null when it is nobody's, as a local caller's or a service's. */
  readonly owner: string | null
  /** Whose the Idempotency-Keys are: no two askers share one. Empty for local callers. */
  readonly keys: string
}

/** Who places the orders of an asker. Throws AppError `UNAUTHENTICATED` for nobody: an order belongs to who made it. */
export function placerOf(asker: Asker | undefined): Placer {
  const somebody = wantSomebody(asker, 'An order belongs to who places it')
  if (somebody.is === 'local') return { owner: null, keys: '' }
  const { is, subject } = somebody
  return { owner: is === 'user' ? subject : null, keys: `${is} ${subject}` }
}
