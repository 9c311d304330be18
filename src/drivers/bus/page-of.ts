import type { Page } from './administration.ts'

/** Most messages or dead letters one call reads, whatever its limit. */
const MAX_READ = 10_000

/** A limit as it is obeyed: a whole number, from 0 to the most that one call reads. */
export function boundedLimit(limit: number): number {
  return Math.max(0, Math.min(Math.floor(limit), MAX_READ))
}

/** The part of a list that a page means; nothing behind one that isn't there any more. */
export function pageOf<T>(
  all: Iterable<T>,
  nameOf: (one: T) => string,
  { limit = Number.POSITIVE_INFINITY, after }: Partial<Page>,
): T[] {
  const part: T[] = []
  let isBehind = after === undefined
  for (const one of all) {
    if (part.length >= limit) break
    if (isBehind) part.push(one)
    else isBehind = nameOf(one) === after
  }
  return part
}
