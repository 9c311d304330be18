import * as z from 'zod'

/** The payment role's name in the registry. */
export const PAYMENT_SERVICE = 'payment-service'

/** Published once for each order that was charged, or couldn't be. */
export const PAYMENT_PROCESSED = 'payment.processed'

/** Published once for each payment that went back, because its order was cancelled. */
export const PAYMENT_REFUNDED = 'payment.refunded'

const PaymentOutcome = z.enum(['success', 'failed'])
/** How charging an order went. */
export type PaymentOutcome = z.infer<typeof PaymentOutcome>

const PaymentStatus = z.enum([...PaymentOutcome.options, 'refunded'])
/** Where a payment stands. */
export type PaymentStatus = z.infer<typeof PaymentStatus>

/** The data of `payment.processed` (design §5). */
export const PaymentProcessed = z.object({
  order_id: z.int().min(1),
  /** The order's own; absent where its event didn't tell. */
  order_uuid: z.uuid().optional(),
  payment_id: z.uuid(),
  status: PaymentOutcome,
  amount: z.number().min(0),
  /** The order's own, ISO 4217; absent where its event didn't tell: the platform's one. */
  currency: z.string().optional(),
  /** Why it failed, for people. */
  reason: z.string().max(1_000).optional(),
})
export type PaymentProcessed = z.infer<typeof PaymentProcessed>

/** The data of `payment.refunded`. */
export const PaymentRefunded = PaymentProcessed.omit({ status: true, reason: true })
export type PaymentRefunded = z.infer<typeof PaymentRefunded>

/** A payment as the API shows it. */
export const Payment = z.object({
  id: z.uuid(),
  order_id: z.int(),
  user_id: z.int(),
  amount: z.number().describe('at most two decimals'),
  status: PaymentStatus,
  reason: z.string().optional().describe('why it failed'),
  created_at: z.string().describe('RFC 3339'),
})
export type Payment = z.infer<typeof Payment>
