import type { PaymentStatus } from '../payment/contract.ts'
import type { OrderStatus } from './contract.ts'

/**
 * What becomes of an order's status:
 * - `becomes`: it changes.
 * - `stays`: nothing to do; it has happened before, or the order is over.
 * - `refused`: not from here.
 * - `refund`: it stays cancelled, though the customer was charged meanwhile: the money has to go back.
 */
export type Transition =
  | { readonly outcome: 'becomes'; readonly status: OrderStatus }
  | { readonly outcome: 'stays' }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'refund' }

const STAYS: Transition = { outcome: 'stays' }

/** pending → paid | payment_failed, as the payment went. */
export function afterPayment(status: OrderStatus, payment: PaymentStatus): Transition {
  if (status === 'pending') return { outcome: 'becomes', status: payment === 'success' ? 'paid' : 'payment_failed' }
  return status === 'cancelled' && payment === 'success' ? { outcome: 'refund' } : STAYS
}

/** pending → cancelled; a paid order, and one whose payment failed, can't be cancelled any more. */
export function afterCancel(status: OrderStatus): Transition {
  if (status === 'pending') return { outcome: 'becomes', status: 'cancelled' }
  return status === 'cancelled' ? STAYS : { outcome: 'refused' }
}
