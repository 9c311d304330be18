import type { PaymentOutcome } from '../payment/contract.ts'
import type { OrderStatus } from './contract.ts'

/**
 * What becomes of an order's status:
 * - `becomes`: it changes.
 * - `stays`: nothing to do; it has happened before, or the order is over.
 * - `refused`: not from here.
 */
export type Transition =
  | { readonly outcome: 'becomes'; readonly status: OrderStatus }
  | { readonly outcome: 'stays' }
  | { readonly outcome: 'refused' }

const STAYS: Transition = { outcome: 'stays' }
const REFUSED: Transition = { outcome: 'refused' }

/** pending → paid | payment_failed, as the payment went; cancelled → refunding, where it was charged all the same. */
export function afterPayment(status: OrderStatus, payment: PaymentOutcome): Transition {
  if (status === 'pending') return { outcome: 'becomes', status: payment === 'success' ? 'paid' : 'payment_failed' }
  return status === 'cancelled' && payment === 'success' ? { outcome: 'becomes', status: 'refunding' } : STAYS
}

/** pending → cancelled; a paid order, and one whose payment failed, can't be cancelled any more. */
export function afterCancel(status: OrderStatus): Transition {
  if (status === 'pending') return { outcome: 'becomes', status: 'cancelled' }
  return status === 'paid' || status === 'payment_failed' ? REFUSED : STAYS
}

/** refunding → refunded; no other order has asked for its money. */
export function afterRefund(status: OrderStatus): Transition {
  if (status === 'refunding') return { outcome: 'becomes', status: 'refunded' }
  return status === 'refunded' ? STAYS : REFUSED
}
