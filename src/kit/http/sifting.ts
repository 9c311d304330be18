import * as z from 'zod'
import { AppError } from '../errors.ts'

/** How a batch is taken: `?atomic=true` wants all of it or nothing. */
export const BatchQuery = z.strictObject({
  atomic: z
    .enum(['true', 'false'])
    .default('false')
    .transform((word) => word === 'true'),
})

/** An item of a batch that wasn't taken, by its index from 0, and why. */
export const Rejected = z.object({ index: z.int(), code: z.string(), detail: z.string() })
export type Rejected = z.output<typeof Rejected>

/** Most items of a batch that are named as not taken: to find what is wrong with one costs more than to take it. */
const MAX_REJECTED = 1_000
/** The same while none was good: such a batch is hardly one. */
const MAX_REJECTED_AT_FIRST = 100

/** The answer to a batch: how many were taken, and which were not; `rejected` is absent when all were. */
export const Accepted = z.object({ accepted: z.int(), rejected: z.array(Rejected).optional() })

/** What is taken of a batch. */
export interface Sifted<T> {
  readonly items: readonly T[]
  /** Where each of them stood in the batch. */
  readonly indexes: readonly number[]
  readonly rejected: readonly Rejected[]
}

/**
 * Reads a batch, one item's fault being its own: `read` makes something of an item, and whose throws an AppError is left out. With `atomic`,
 * when no item is good (or none of the first 100), and when more than 1 000 aren't, the first fault is thrown.
 * @param walk goes through the batch with the reading that it is given, as readLines does
 */
export async function sift<T>(
  read: (bytes: Buffer, index: number) => T,
  walk: (read: (bytes: Buffer, index: number) => void) => Promise<unknown>,
  atomic: boolean,
): Promise<Sifted<T>> {
  const items: T[] = []
  const indexes: number[] = []
  const rejected: Rejected[] = []
  let first: AppError | undefined
  await walk((bytes, index) => {
    try {
      items.push(read(bytes, index))
      indexes.push(index)
    } catch (fault) {
      if (atomic || !(fault instanceof AppError)) throw fault
      first ??= fault
      rejected.push({ index, code: fault.code, detail: fault.detail })
      if (rejected.length > (items.length > 0 ? MAX_REJECTED : MAX_REJECTED_AT_FIRST)) throw tooManyFaults(first, index)
    }
  })
  if (first && items.length === 0) throw first
  return { items, indexes, rejected }
}

function tooManyFaults(first: AppError, index: number): AppError {
  const detail = `${first.detail}. Too many items of this batch are like that, up to the one at index ${index}: none was taken`
  return new AppError(first.code, first.message, { detail, cause: first })
}

/** The answer to a batch as the contract has it. */
export function accepted(count: number, rejected: readonly Rejected[]): z.output<typeof Accepted> {
  return rejected.length === 0 ? { accepted: count } : { accepted: count, rejected: [...rejected] }
}
