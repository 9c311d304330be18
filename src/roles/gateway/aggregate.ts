import type { ServiceClient } from '../../kit/client/service-client.ts'
import { AppError } from '../../kit/errors.ts'
import { UserOrders } from './contract.ts'

/** The services an aggregate is made of. */
export interface AggregateSources {
  readonly users: ServiceClient
  readonly orders: ServiceClient
}

/**
 * A user together with its orders (seed 9.7.4), asked of both services at once on behalf of the current scope's identity.
 * @param id the user's id
 * @throws AppError `NOT_FOUND` when there is no such user, and what the services' clients throw
 */
export async function userOrders({ users, orders }: AggregateSources, id: number): Promise<UserOrders> {
  const [user, list] = await Promise.allSettled([
    users.get(`/api/users/${id}`),
    orders.get('/api/orders', { query: { user_id: id } }),
  ])
  // that the user doesn't exist explains whatever the orders' side said
  if (user.status === 'rejected') throw user.reason
  if (list.status === 'rejected') throw list.reason
  const joined = UserOrders.safeParse({ user: user.value, orders: list.value })
  if (joined.success) return joined.data
  throw new AppError('UPSTREAM_FAILED', 'Bad gateway', {
    detail: 'A service answered in a shape that the gateway does not know',
    cause: joined.error,
  })
}
