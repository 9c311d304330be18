/** Ids per millisecond. 2^53 / 2 048 ms reaches into the year 2109. */
const IDS_A_MS = 2_048
/** Milliseconds of a day. */
export const DAY_MS = 86_400_000

/** The first id an entry of this moment can have, in milliseconds since 1970. */
export function firstIdAt(ms: number): number {
  return Math.max(0, Math.floor(ms)) * IDS_A_MS
}

/** The day of an id, counted in UTC since 1970. */
export function dayOf(id: number): number {
  return Math.floor(id / (IDS_A_MS * DAY_MS))
}

/** The first id that entries of a day can have. */
export function firstIdOf(day: number): number {
  return day * DAY_MS * IDS_A_MS
}

/**
 * The time an entry is filed under: its own, unless that lies more than a day ahead. Then its sender's clock is wrong, and it
 * would stay on top of every list for as long as that.
 */
export function filingTime(ms: number, now: number): number {
  return ms > now + DAY_MS ? now : ms
}

/**
 * Gives log entries ids that grow with their time, so that one key serves as primary key, order, cursor and time range, for the table and
 * for the full-text index alike. Entries of the same millisecond keep the order they came in.
 *
 * Log servers that write to the same store give out every so-many-th id each: which of them, each draws for itself, and draws again when it
 * meets another's.
 */
export class EntryIds {
  readonly #random: () => number
  readonly #slots: number
  /** Of one slot. */
  readonly #idsAMs: number
  #slot: number
  #counter: number

  /**
   * @param random from 0 up to 1: several servers writing to one store start apart
   * @param slots a power of two: so many servers can have ids of their own. Default 1
   */
  constructor(random: () => number = Math.random, slots = 1) {
    this.#random = random
    this.#slots = slots
    this.#idsAMs = IDS_A_MS / slots
    this.#slot = Math.floor(random() * slots)
    this.#counter = Math.floor(random() * this.#idsAMs)
  }

  /**
   * Ids for a batch, in its order.
   * @param times milliseconds since 1970, growing
   * @param attempt how often these entries have met ids that were taken already; each time they step aside further, by at most
   *   4^attempt milliseconds
   */
  next(times: readonly number[], attempt = 0): readonly number[] {
    const aside = attempt === 0 ? 0 : Math.ceil(this.#random() * 4 ** attempt)
    if (attempt > 0) this.#slot = Math.floor(this.#random() * this.#slots)
    let last = -1
    return times.map((time, index) => {
      if (index === 0 || firstIdAt(time) > firstIdAt(times[index - 1] ?? 0)) this.#makeRoom(times, index)
      this.#counter++
      const own = firstIdAt(time + aside) + (this.#counter % this.#idsAMs) * this.#slots + this.#slot
      last = Math.max(last < 0 ? 0 : last + this.#slots, own)
      return last
    })
  }

  /** Lets the counter begin anew where it would do so among the entries of one millisecond: they would spill into the next. */
  #makeRoom(times: readonly number[], from: number): void {
    const end = firstIdAt((times[from] ?? 0) + 1)
    let count = 0
    while (from + count < times.length && firstIdAt(times[from + count] ?? 0) < end) count++
    if (this.#counter + count >= this.#idsAMs) this.#counter = -1
  }
}
