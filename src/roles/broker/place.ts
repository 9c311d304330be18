import { hash } from 'node:crypto'
import type { Bus, StoredMessage, SubscriptionSpec } from '../../drivers/bus/contract.ts'
import { topicPattern } from '../../drivers/bus/topic-pattern.ts'
import { AppError } from '../../kit/errors.ts'

/** Where a reader begins, as he says it: what comes now, all that is kept, behind a message by its cursor, or at an offset of one topic. */
export type From = 'new' | 'first' | number | string

/** A message, and where it lies in the log. */
type Placed = Pick<StoredMessage, 'id' | 'timestamp'> & { readonly position: number }

/**
 * The cursor of a message, by which a reader goes on behind it, whatever the topic: its position, and a mark of the message itself, since a log that is
 * put back from a copy gives positions out again. A letter stands first, so that nobody takes it for a number and counts on with it: the next
 * message of a topic may be any further one of the log.
 */
export function cursorOf(message: Placed): string {
  return `c${message.position.toString(36)}-${markOf(message)}`
}

function markOf({ id, timestamp }: Placed): string {
  return hash('sha256', `${timestamp} ${id}`).slice(0, 8)
}

/**
 * Where a reader of a topic or pattern begins, as the bus says it. Throws AppError `INVALID_REQUEST` for a place that isn't there: who waited
 * at it would miss what comes before.
 */
export async function placeOf(
  bus: Pick<Bus, 'end' | 'topics' | 'read'>,
  topic: string,
  from: From,
): Promise<Required<SubscriptionSpec>['from']> {
  if (from === 'new' || from === 'first') return from
  if (typeof from === 'string') {
    const [position = '', mark] = from.slice(1).split('-')
    const after = Number.parseInt(position, 36)
    if (after > (await bus.end())) {
      throw noPlace(`${from} is no cursor of this broker's messages: it lies beyond the last one`)
    }
    const [there] = mark === undefined ? [] : await bus.read('>', { after: after - 1, limit: 1 })
    if (there?.position !== after || markOf(there) === mark) return { after }
    throw noPlace(
      `another message is at ${from} now, since the log was put back from a copy: begin at first, or at new`,
    )
  }
  if (!topicPattern(topic).exact) throw noPlace('an offset counts within one topic: begin a pattern at a cursor')
  const { lastOffset = 0 } = (await bus.topics()).find((one) => one.topic === topic) ?? {}
  if (from <= lastOffset + 1) return from
  throw noPlace(`${topic} has messages up to offset ${lastOffset}, and ${from} lies beyond the next one`)
}

function noPlace(detail: string): AppError {
  return new AppError('INVALID_REQUEST', 'There is no such place', { detail: `from: ${detail}` })
}
