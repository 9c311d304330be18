import * as z from 'zod'
import { KEY_ATTRIBUTE } from '../../drivers/bus/message-key.ts'
import { MOST_DELAY_MS, type Publication } from '../../drivers/bus/publisher.ts'
import { AppError } from '../../kit/errors.ts'

/** The attribute by which an event says when it is to be delivered, RFC 3339: an extension of ours, as CloudEvents has none. */
const TIME_ATTRIBUTE = 'deliverat'

const MOST_DELAY_S = MOST_DELAY_MS / 1000
const TIME = z.iso.datetime({ offset: true })

/** What messages of one key are kept in order by. */
const Key = z
  .string()
  .min(1)
  .max(255)
  .regex(/^\P{Cc}*$/u, 'no control characters')

/** How a message is to be delivered, said beside it: its key, and the seconds that it waits for before it takes its place. */
export const DeliveryQuery = z.strictObject({
  key: Key.optional(),
  delay: z.coerce.number(`a number of seconds from 0 to ${MOST_DELAY_S} is wanted`).min(0).max(MOST_DELAY_S).optional(),
})

/** The same in a line of a batch. */
export const DELIVERY_FIELDS = { key: Key.optional(), delay: z.number().min(0).max(MOST_DELAY_S).optional() }

/**
 * The message as it is to be delivered: by what is said beside it, and by its own attributes. Throws AppError `INVALID_REQUEST` where the two differ, for
 * a `deliverat` that is no time, and for one that is too far ahead.
 * @param now wall clock, milliseconds since 1970
 */
export function asWished(message: Publication, wish: z.output<typeof DeliveryQuery>, now: () => number): Publication {
  const time = message.attributes[TIME_ATTRIBUTE]
  if (wish.key === undefined && wish.delay === undefined && time === undefined) return message
  return { ...keyed(message, wish.key), ...delayed(wish.delay, time, now) }
}

function keyed(message: Publication, key: string | undefined): Publication {
  const own = message.attributes[KEY_ATTRIBUTE]
  if (key === undefined || own === key) return message
  if (own !== undefined) throw invalid(`key: the event's ${KEY_ATTRIBUTE} says another one`)
  return { ...message, attributes: { ...message.attributes, [KEY_ATTRIBUTE]: key } }
}

function delayed(delay: number | undefined, time: string | undefined, now: () => number): Pick<Publication, 'delayMs'> {
  if (time === undefined) return delay === undefined ? {} : { delayMs: delay * 1000 }
  if (delay !== undefined) throw invalid(`delay: the event's ${TIME_ATTRIBUTE} says when already`)
  if (!TIME.safeParse(time).success) throw invalid(`${TIME_ATTRIBUTE}: a time is wanted, such as 2026-11-27T08:00:00Z`)
  const delayMs = Math.max(0, Date.parse(time) - now())
  if (delayMs > MOST_DELAY_MS) throw invalid(`${TIME_ATTRIBUTE}: at most ${MOST_DELAY_S} seconds ahead`)
  return { delayMs }
}

function invalid(detail: string): AppError {
  return new AppError('INVALID_REQUEST', 'Invalid message', { detail: `Invalid message: ${detail}` })
}
