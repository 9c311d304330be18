import * as z from 'zod'
import type { RemoteConfig } from '../../kit/config/changing-values.ts'
import { Amount, toCents } from '../../kit/money.ts'
import { Currency } from './contract.ts'

/** A price of one piece: at most a million, so that a million pieces stay far inside the integers counted exactly. */
const Price = Amount.max(1_000_000)

/** What products cost. */
export const PriceList = z.object({
  default_price: Price.default(29.99).describe('price of a product that has none of its own'),
  currency: Currency.default('EUR').describe('what prices are in (ISO 4217); a payment in another is not believed'),
  prices: z
    .record(z.string().min(1), Price)
    .default({})
    .meta({ description: 'prices by product name', expected: 'an object of prices by product name' }),
})
export type PriceList = z.infer<typeof PriceList>

/** Of these, what the config server may say while the role runs. */
export const LivePrices = PriceList.pick({ default_price: true, prices: true })

/**
 * Gives a product's price in cents. The config server's `prices` and `default_price` come before the configured ones, and take effect
 * while running; a value there that isn't a price is passed over.
 */
export function createPrices(list: PriceList, remote: Pick<RemoteConfig, 'get'>): (product: string) => number {
  return (product) => {
    const price = priceIn(remote.get('prices'), product) ?? priceIn(list.prices, product)
    return toCents(price ?? asPrice(remote.get('default_price')) ?? list.default_price)
  }
}

function priceIn(prices: unknown, product: string): number | undefined {
  if (typeof prices !== 'object' || prices === null || !Object.hasOwn(prices, product)) return undefined
  return asPrice(Reflect.get(prices, product))
}

function asPrice(value: unknown): number | undefined {
  return value === undefined ? undefined : Price.safeParse(value).data
}
