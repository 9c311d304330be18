import { patienceMs } from '../../drivers/bus/patience.ts'
import type { BackOffOptions } from '../back-off.ts'
import { pause } from '../pause.ts'

/**
 * How relays and consumers come back to a broker that was away, milliseconds: an order waits for two of each in turn, and all of them within 2 s. Every
 * failure is a line in the log, so no faster.
 */
export const BROKER_BACK_OFF: BackOffOptions = { mostMs: 500 }

/** What a taker of messages knows of what it takes them to, such as a store or an endpoint. */
export interface Patience {
  /** While it isn't, messages are taken one at a time, to see whether it is again: each of them would only be put off. */
  readonly isWell: boolean
  /** Says how a message fared. @param later it was put off, and that was not its own fault */
  heard(later: boolean): void
  /** Resolves when it is time to try again: at once where all is well. */
  untilNextTry(signal: AbortSignal): Promise<void>
}

/**
 * Makes the patience with one store or endpoint, which is well to begin with.
 * @param mostMs longest wait, milliseconds. Default 30 s, what a tenth of five minutes is.
 * @param random from 0 to 1
 */
export function createPatience(
  mostMs: number = Number.POSITIVE_INFINITY,
  random: () => number = Math.random,
): Patience {
  let isWell = true
  let waitedMs = 0
  return {
    get isWell() {
      return isWell
    },
    heard(later) {
      isWell = !later
      if (isWell) waitedMs = 0
    },
    async untilNextTry(signal) {
      if (isWell) return
      const wait = Math.min(mostMs, patienceMs(waitedMs, random()))
      waitedMs += wait
      await pause(wait, signal)
    },
  }
}
