import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OrderStatus } from './contract.ts'
import { afterCancel, afterPayment, type Transition } from './order-status.ts'

describe('order status', () => {
  it.each([
    ['pending', 'success', { outcome: 'becomes', status: 'paid' }],
    ['pending', 'failed', { outcome: 'becomes', status: 'payment_failed' }],
    ['paid', 'success', { outcome: 'stays' }],
    ['paid', 'failed', { outcome: 'stays' }],
    ['payment_failed', 'success', { outcome: 'stays' }],
    ['payment_failed', 'failed', { outcome: 'stays' }],
    ['cancelled', 'success', { outcome: 'refund' }],
    ['cancelled', 'failed', { outcome: 'stays' }],
  ] as const)('%s and a payment that is a %s', (status, payment, transition) => {
    expect(afterPayment(status, payment)).toEqual(transition)
  })

  it.each([
    ['pending', { outcome: 'becomes', status: 'cancelled' }],
    ['cancelled', { outcome: 'stays' }],
    ['paid', { outcome: 'refused' }],
    ['payment_failed', { outcome: 'refused' }],
  ] as const)('%s and a cancellation', (status, transition) => {
    expect(afterCancel(status)).toEqual(transition)
  })

  it('changes at most once, whatever happens in whatever order', () => {
    const event = fc.constantFrom<(status: OrderStatus) => Transition>(
      (status) => afterPayment(status, 'success'),
      (status) => afterPayment(status, 'failed'),
      afterCancel,
    )
    fc.assert(
      fc.property(fc.array(event, { minLength: 1 }), (events) => {
        const history: OrderStatus[] = ['pending']
        for (const next of events) {
          const transition = next(history.at(-1) ?? 'pending')
          if (transition.outcome === 'becomes') history.push(transition.status)
        }
        expect(history).toHaveLength(2)
      }),
    )
  })
})
