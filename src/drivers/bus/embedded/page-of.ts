import type { Page } from '../contract.ts'

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
