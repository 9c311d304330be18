import * as z from 'zod'
import { GATEWAY_SERVICE } from './gateway/contract.ts'
import { ORDER_SERVICE } from './order/contract.ts'
import { LivePrices } from './order/prices.ts'
import { PAYMENT_SERVICE } from './payment/contract.ts'
import { PaymentLimit } from './payment/limit.ts'

const NONE = z.object({})

/**
 * What each service of the platform takes from the config server while it runs (its role's `live`), said here too so that the config server can check
 * it without loading every role; a test holds the two together. A service that isn't here is somebody's own, and takes anything.
 */
export const LIVE_SETTINGS: Readonly<Record<string, z.ZodObject>> = {
  registry: NONE,
  'config-server': NONE,
  'log-server': NONE,
  broker: NONE,
  'user-service': NONE,
  [ORDER_SERVICE]: LivePrices,
  [PAYMENT_SERVICE]: PaymentLimit,
  [GATEWAY_SERVICE]: NONE,
  outbound: NONE,
}
