import { DriverError } from '../driver-error.ts'
import { MOST_DELAY_MS } from './publisher.ts'

/** Messages that may wait for their time where nothing else is said: on NATS each broker keeps some 350 bytes of every one in memory. */
export const MAX_DELAYED = 100_000

/** Longest that a publisher who finds no room is told to stay away, in seconds: somebody may cancel some. */
const MOST_RETRY_S = 3_600

/** Where a message that waits stands in the order of times: those of one time are told apart by a number of the driver's own. */
export interface DelayedPlace {
  /** Milliseconds since 1970. */
  readonly dueAt: number
  readonly nr: number
}

/** The place before all. */
const BEGINNING: DelayedPlace = { dueAt: -1, nr: -1 }

/** The cursor of a message that waits. */
export function delayedCursor({ dueAt, nr }: DelayedPlace): string {
  return `${dueAt}-${nr}`
}

/** The place that a cursor means, and the beginning without one. Throws DriverError `invalid` for what is none. */
export function placeAfter(cursor: string | undefined): DelayedPlace {
  if (cursor === undefined) return BEGINNING
  const [, dueAt, nr] = /^(\d{1,15})-(\d{1,15})$/.exec(cursor) ?? []
  if (dueAt === undefined) throw new DriverError('invalid', `${cursor} is no cursor of a message that waits`)
  return { dueAt: Number(dueAt), nr: Number(nr) }
}

/** What is said of a delay that is none. */
export const WRONG_DELAY = `cannot publish: delayMs is a number of milliseconds from 0 to ${MOST_DELAY_MS}`

/** Whether a message may wait for so long, in milliseconds. */
export function isDelay(delayMs: number): boolean {
  return delayMs >= 0 && delayMs <= MOST_DELAY_MS
}

/**
 * Why no more messages may wait for their time: DriverError `too-many`.
 * @param max how many may
 * @param nextMs milliseconds until the next one takes its place, and leaves room
 */
export function tooManyDelayed(max: number, nextMs: number): DriverError {
  const message =
    max === 0
      ? 'no message may wait for its time here: publish it when it is due'
      : `${max} messages wait for their time, as many as may: publish it when it is due, or cancel some`
  const retryAfterS = Math.max(1, Math.min(Math.ceil(nextMs / 1000), MOST_RETRY_S))
  return new DriverError('too-many', message, { retryAfterS })
}
