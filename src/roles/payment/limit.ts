import * as z from 'zod'
import type { RemoteConfig } from '../../kit/config/changing-values.ts'
import { Amount, toCents } from '../../kit/money.ts'

/** What is charged at all. The config server may say it while the role runs. */
export const PaymentLimit = z.object({
  limit: Amount.default(10_000).describe('largest amount that is charged; the payment of a dearer order fails'),
})

/** Gives the limit in cents: the config server's comes before the configured one; one that is no amount is passed over. */
export function createLimit({ limit }: z.infer<typeof PaymentLimit>, remote: Pick<RemoteConfig, 'get'>): () => number {
  return () => toCents(Amount.safeParse(remote.get('limit')).data ?? limit)
}
