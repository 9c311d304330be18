import type { BusReader, Cursor } from '../../drivers/bus/reader.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { AppError } from '../../kit/errors.ts'

/** Where a reader begins, as he says it: what comes now, all that is kept, behind a message by its cursor, or at an offset of one topic. */
export type From = 'new' | 'first' | number | string

/**
 * Where a reader of a topic or pattern begins, as the bus says it. Throws AppError `INVALID_REQUEST` for a place that isn't there: who waited
 * at it would miss what comes before.
 */
export async function placeOf(bus: Pick<BusReader, 'place'>, topic: string, from: From): Promise<Cursor> {
  try {
    const isCursor = typeof from === 'string' && from !== 'new' && from !== 'first'
    return await bus.place(topic, isCursor ? { after: from } : from)
  } catch (fault) {
    if (!(fault instanceof DriverError) || fault.kind !== 'invalid') throw fault
    throw new AppError('INVALID_REQUEST', 'There is no such place', { detail: `from: ${fault.message}`, cause: fault })
  }
}
