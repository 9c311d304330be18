import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { queryPlans } from '../../drivers/store/testing/query-plans.ts'
import { createOrders } from './orders.ts'
import { OrderService } from './testing/order-service.ts'

const ALL = { sees: 'all' } as const
const OWN = { sees: 'own', owner: 'alice' } as const
const NOTHING = { sees: 'nothing' } as const

describe('a list of orders', () => {
  let service: OrderService
  beforeEach(async () => {
    service = await OrderService.open()
  })
  afterEach(() => service[Symbol.asyncDispose]())

  it.each([
    [ALL, {}, 'SEARCH orders USING INTEGER PRIMARY KEY (rowid>?)'],
    [ALL, { status: 'cancelled' }, 'SEARCH orders USING INDEX orders_status (status=? AND id>?)'],
    [ALL, { userId: 1 }, 'SEARCH orders USING INDEX orders_user (user_id=? AND id>?)'],
    [ALL, { userId: 1, status: 'paid' }, 'SEARCH orders USING INDEX orders_user (user_id=? AND id>?)'],
    [OWN, {}, 'SEARCH orders USING INDEX orders_owner (owner=? AND id>?)'],
    [OWN, { status: 'paid' }, 'SEARCH orders USING INDEX orders_owner (owner=? AND id>?)'],
    [OWN, { userId: 1 }, 'SEARCH orders USING INDEX orders_owner (owner=? AND id>?)'],
    [OWN, { userId: 1, status: 'paid' }, 'SEARCH orders USING INDEX orders_owner (owner=? AND id>?)'],
    [NOTHING, { status: 'paid' }, expect.any(String)],
  ] as const)('of %j with %j reads no orders but one person’s, or those of the page', async (view, filter, plan) => {
    const { store, plans } = queryPlans(service.store)
    await createOrders(store, service.outbox).list({ limit: 10, ...filter }, view)
    expect(plans).toEqual([plan])
  })
})
