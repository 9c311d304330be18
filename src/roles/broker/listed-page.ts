import { DriverError } from '../../drivers/driver-error.ts'
import { AppError } from '../../kit/errors.ts'

/** What is read of a list of the bus. */
interface Part {
  readonly limit: number
  readonly after?: string
}

/**
 * A page of a list whose items have cursors, and where the next one begins; null at the end. A cursor that the bus doesn't know is the caller's mistake:
 * AppError `INVALID_REQUEST`. Else rejects as `read` does.
 * @param read gives up to `limit` items; fewer where they are large, and none at the end
 */
export async function listedPage<T extends { readonly cursor: string }>(
  read: (part: Part) => Promise<readonly T[]>,
  limit: number,
  after: string | undefined,
): Promise<{ readonly items: readonly T[]; readonly next: string | null }> {
  const items = await read({ limit, ...(after !== undefined && { after }) }).catch((fault: unknown) => {
    if (!(fault instanceof DriverError) || fault.kind !== 'invalid') throw fault
    throw new AppError('INVALID_REQUEST', 'Invalid query', { detail: `after: ${fault.message}`, cause: fault })
  })
  const last = items.at(-1)?.cursor
  const isEnd = last === undefined || (await read({ limit: 1, after: last })).length === 0
  return { items, next: isEnd ? null : last }
}
