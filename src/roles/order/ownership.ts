import type { Identity } from '../../kit/auth/identity.ts'

/** The scope that sees and changes everybody's orders. */
const ADMIN_SCOPE = 'admin'

/** Who asks, as far as orders are concerned. */
export interface Caller {
  /** Whose the orders are that are made now; null for a caller without a token, and for a service. */
  readonly owner: string | null
  /** Whose orders are there for this caller: his own, or everybody's. */
  readonly sees: 'own' | 'all'
}

/**
 * A person sees his own orders, and with the scope `admin` everybody's. So do the platform's services, and, where no token is asked for
 * (auth.mode local), whoever calls the service directly.
 */
export function callerOf(identity: Identity | undefined): Caller {
  if (!identity || identity.service) return { owner: null, sees: 'all' }
  return { owner: identity.subject, sees: identity.scopes.has(ADMIN_SCOPE) ? 'all' : 'own' }
}
