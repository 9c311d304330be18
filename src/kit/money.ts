import * as z from 'zod'

/** Largest amount of money, in units: far below where cents times quantity leave the integers that JavaScript counts exactly. */
const MAX_AMOUNT = 1_000_000_000_000

/** An amount of money in JSON: a number, zero or more, with at most two decimals. */
export const Amount = z
  .number()
  .min(0)
  .max(MAX_AMOUNT)
  .refine((amount) => fromCents(toCents(amount)) === amount, 'at most two decimals')

/** Whole cents, in which money is counted: 29.99 becomes 2999. */
export function toCents(amount: number): number {
  return Math.round(amount * 100)
}

/** An amount for people, its thousands apart: 150000 becomes `1 500.00`. */
export function amountText(cents: number): string {
  return fromCents(cents)
    .toFixed(2)
    .replace(/\d(?=(?:\d{3})+\.)/g, '$& ')
}

/** Units as JSON shows them: 2999 becomes 29.99. */
export function fromCents(cents: number): number {
  return cents / 100
}
