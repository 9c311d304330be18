import * as z from 'zod'

/** The payment role's name in the registry. */
export const PAYMENT_SERVICE = 'payment-service'

/** Published once for each order that was charged, or couldn't be. */
export const PAYMENT_PROCESSED = 'payment.processed'

const PaymentStatus = z.enum(['success', 'failed'])
/** How a payment went. */
export type PaymentStatus = z.infer<typeof PaymentStatus>

/** The data of `payment.processed` (design §5). */
export const PaymentProcessed = z.object({
  order_id: z.int().min(1),
  /** The order's own; absent where its event didn't tell. */
  order_uuid: z.uuid().optional(),
  payment_id: z.uuid(),
  status: PaymentStatus,
  amount: z.number().min(0),
  /** The order's own, ISO 4217; absent where its event didn't tell: the platform's one. */
  currency: z.string().optional(),
})
export type PaymentProcessed = z.infer<typeof PaymentProcessed>

/** A payment as the API shows it. */
export const Payment = z.object({
  id: z.uuid(),
  order_id: z.int(),
  user_id: z.int(),
  amount: z.number().describe('at most two decimals'),
  status: PaymentStatus,
  created_at: z.string().describe('RFC 3339'),
})
export type Payment = z.infer<typeof Payment>
