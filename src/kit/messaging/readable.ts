import type * as z from 'zod'
import { AppError } from '../errors.ts'
import { inputFaults } from '../input-faults.ts'
import type { IncomingEvent } from './messaging.ts'

/**
 * What a message says, checked against its topic's schema. A handler that can't read one throws: the message is given back, and ends as a
 * dead letter that tells why, where somebody finds it.
 * @param what the schema stands for, such as `an order`
 * @throws AppError `UNPROCESSABLE` naming the fields
 * @example const { product_id } = readable(event, z.object({ product_id: z.int() }), 'a sale')
 */
export function readable<S extends z.ZodType>(event: IncomingEvent, schema: S, what: string): z.output<S> {
  const result = schema.safeParse(event.payload)
  if (result.success) return result.data
  const faults = inputFaults(result.error, 'payload').join('; ')
  throw new AppError('UNPROCESSABLE', `A message on ${event.topic} is not ${what}: ${faults}`)
}
