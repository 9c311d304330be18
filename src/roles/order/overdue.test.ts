import { expect, it } from 'vitest'
import { queryPlans } from '../../drivers/store/testing/query-plans.ts'
import { checkOverdue } from './overdue.ts'
import { OrderService } from './testing/order-service.ts'

it('says which order waits for longer than it should', async () => {
  await using service = await OrderService.open()
  const clock = { now: () => service.now }
  const check = (store = service.store) => checkOverdue({ store, clock, seconds: 60 })
  await check()
  const order = await service.place()
  service.now += 60_000
  await check()
  service.now += 1_000
  await expect(check()).rejects.toThrow(`order ${order.id} is pending since 61 s`)
  const { store, plans } = queryPlans(service.store)
  await check(store)
  expect(new Set(plans)).toEqual(new Set(['SEARCH orders USING INDEX orders_status (status=?)']))
})
