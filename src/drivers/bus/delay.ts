import { MOST_DELAY_MS } from './publisher.ts'

/** What is said of a delay that is none. */
export const WRONG_DELAY = `cannot publish: delayMs is a number of milliseconds from 0 to ${MOST_DELAY_MS}`

/** Whether a message may wait for so long, in milliseconds. */
export function isDelay(delayMs: number): boolean {
  return delayMs >= 0 && delayMs <= MOST_DELAY_MS
}
