import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OrderStatus } from './contract.ts'
import { afterCancel, afterPayment, afterRefund, type Transition } from './order-status.ts'

describe('order status', () => {
  it.each([
    ['pending', 'success', { outcome: 'becomes', status: 'paid' }],
    ['pending', 'failed', { outcome: 'becomes', status: 'payment_failed' }],
    ['paid', 'success', { outcome: 'stays' }],
    ['paid', 'failed', { outcome: 'stays' }],
    ['payment_failed', 'success', { outcome: 'stays' }],
    ['payment_failed', 'failed', { outcome: 'stays' }],
    ['cancelled', 'success', { outcome: 'becomes', status: 'refunding' }],
    ['cancelled', 'failed', { outcome: 'stays' }],
    ['refunding', 'success', { outcome: 'stays' }],
    ['refunded', 'success', { outcome: 'stays' }],
  ] as const)('%s and a payment that is a %s', (status, payment, transition) => {
    expect(afterPayment(status, payment)).toEqual(transition)
  })

  it.each([
    ['pending', { outcome: 'becomes', status: 'cancelled' }],
    ['cancelled', { outcome: 'stays' }],
    ['paid', { outcome: 'refused' }],
    ['payment_failed', { outcome: 'refused' }],
    ['refunding', { outcome: 'stays' }],
    ['refunded', { outcome: 'stays' }],
  ] as const)('%s and a cancellation', (status, transition) => {
    expect(afterCancel(status)).toEqual(transition)
  })

  it.each([
    ['refunding', { outcome: 'becomes', status: 'refunded' }],
    ['refunded', { outcome: 'stays' }],
    ['pending', { outcome: 'refused' }],
    ['paid', { outcome: 'refused' }],
    ['payment_failed', { outcome: 'refused' }],
    ['cancelled', { outcome: 'refused' }],
  ] as const)('%s and a refund', (status, transition) => {
    expect(afterRefund(status)).toEqual(transition)
  })

  it('goes one of three ways, whatever happens in whatever order', () => {
    const event = fc.constantFrom<(status: OrderStatus) => Transition>(
      (status) => afterPayment(status, 'success'),
      (status) => afterPayment(status, 'failed'),
      afterCancel,
      afterRefund,
    )
    fc.assert(
      fc.property(fc.array(event, { minLength: 1 }), (events) => {
        const history: OrderStatus[] = ['pending']
        for (const next of events) {
          const transition = next(history.at(-1) ?? 'pending')
          if (transition.outcome === 'becomes') history.push(transition.status)
        }
        const ways = ['pending paid', 'pending payment_failed', 'pending cancelled refunding refunded']
        expect(ways.some((way) => way.startsWith(history.join(' ')))).toBe(true)
      }),
    )
  })
})
