import { SKEW_SECONDS } from '../auth/token-verifier.ts'
import type { Log } from '../telemetry/log.ts'

/** A `Date` header has whole seconds, milliseconds. */
const SECOND_MS = 1_000

/** When a question was asked and its answer came, by this machine's clock: milliseconds since 1970. */
export interface Asked {
  readonly sent: number
  readonly came: number
}

/**
 * By how much the clock of who answered is ahead of this one, at least, milliseconds: below 0 it is behind, 0 where they may go together. Undefined for what is no
 * date.
 * @param date its `Date` header (RFC 9110 §6.6.1)
 */
export function clockAhead(date: string | null, { sent, came }: Asked): number | undefined {
  const from = date === null ? Number.NaN : Date.parse(date)
  if (Number.isNaN(from)) return undefined
  if (from > came) return from - came
  return Math.min(0, from + SECOND_MS - sent)
}

/** Whether clocks are so far apart that tokens made by the one are refused by the other. */
export function isApart(aheadMs: number): boolean {
  return Math.abs(aheadMs) > SKEW_SECONDS * 1_000
}

/**
 * Makes what hears of another machine's clock again and again, and says so when it is as far from this one that tokens made by the one are refused by the other, and
 * when it no longer is.
 * @param who whose clock it is, such as `the registry`
 */
export function createClockWatch(
  log: Pick<Log, 'warning' | 'info'>,
  who: string,
): (date: string | null, asked: Asked) => void {
  let isFar = false
  return (date, asked) => {
    const ahead = clockAhead(date, asked)
    if (ahead === undefined) return
    const was = isFar
    isFar = isApart(ahead)
    if (isFar === was) return
    if (!isFar) return log.info(`this machine's clock goes with that of ${who} again`)
    const seconds = Math.round(Math.abs(ahead) / 1_000)
    const how = `${seconds} s ${ahead > 0 ? 'behind' : 'ahead of'} that of ${who}`
    log.warning(`this machine's clock is ${how}: tokens made by one are refused by the other; set both (NTP)`)
  }
}
