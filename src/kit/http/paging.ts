import type { Context } from 'hono'
import * as z from 'zod'
import type { AppEnv } from './app-env.ts'

/** Most rows a page may ask for. */
const MAX_LIMIT = 1_000
const DEFAULT_LIMIT = 100

/** A row's id in a path or a query: a positive integer in plain decimal digits. */
export const NumericId = z
  .string()
  .regex(/^[1-9]\d{0,15}$/, { error: 'a positive integer is wanted', abort: true })
  .transform(Number)
  .refine(Number.isSafeInteger, 'the number is too large')

/** How many rows a list gives: query parameter `limit`, 1 to 1 000, default 100. */
export const Limit = z
  .string()
  .regex(/^\d{1,4}$/, `a number from 1 to ${MAX_LIMIT} is wanted`)
  .transform(Number)
  .pipe(z.int().min(1).max(MAX_LIMIT))
  .default(DEFAULT_LIMIT)

/**
 * Cuts a list that was read one row longer than the page, and when there was one more, names the next page in the `Link` header
 * (RFC 8288): the same query, `after` the last row's id.
 * @param idOf what `after` takes. Default: the row's `id`
 * @example return c.json(page(c, await users.list({ limit: limit + 1, after }), limit))
 */
export function page<T extends { readonly id: number | string }>(
  c: Context<AppEnv>,
  rows: readonly T[],
  limit: number,
  idOf?: (row: T) => number | string,
): readonly T[]
export function page<T>(
  c: Context<AppEnv>,
  rows: readonly T[],
  limit: number,
  idOf: (row: T) => number | string,
): readonly T[]
export function page<T extends { readonly id: number | string }>(
  c: Context<AppEnv>,
  rows: readonly T[],
  limit: number,
  idOf: (row: T) => number | string = ({ id }) => id,
): readonly T[] {
  if (rows.length <= limit) return rows
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  if (last) {
    const query = new URLSearchParams(c.req.query())
    query.set('after', String(idOf(last)))
    c.header('link', `<${c.req.path}?${query}>; rel="next"`)
  }
  return shown
}
