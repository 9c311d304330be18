import { AppError } from '../../kit/errors.ts'

/** Most of a list that one run prints. */
export const MAX_LIMIT = 10_000

/** Reads the value of `--limit`: how many of a list are printed at most, 1 to 10 000. Throws AppError `USAGE`. */
export function parseLimit(text: string): number {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new AppError('USAGE', `--limit wants a whole number from 1 to ${MAX_LIMIT}, not ${text}`)
}
