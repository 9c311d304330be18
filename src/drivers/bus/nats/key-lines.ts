/** The messages of one key that a subscription has passed and hasn't settled. */
interface Line {
  /** The one that may be handed out, or is. */
  active: number
  /** Those that wait for it to be settled, from `head` on, the oldest first. */
  readonly waiting: number[]
  head: number
}

/** Of a line that is long, how many that are gone are kept in front: taking each out would move all behind it. */
const MOST_GONE = 1_000

/** Who waits for whom among messages of one key: one at a time may be handed out, the oldest first, however often it comes back. */
export class KeyLines {
  readonly #lines = new Map<string, Line>()
  #waiting = 0

  /** How many wait for another. */
  get waiting(): number {
    return this.#waiting
  }

  /** A message came. Returns whether it may be handed out. */
  join(key: string, seq: number): boolean {
    const line = this.#lines.get(key)
    if (line === undefined) {
      this.#lines.set(key, { active: seq, waiting: [], head: 0 })
      return true
    }
    // mostly the newest comes last; one that was a dead letter has its old place
    const at = line.waiting.findLastIndex((other, index) => index < line.head || other < seq) + 1
    if (at === line.waiting.length) line.waiting.push(seq)
    else line.waiting.splice(at, 0, seq)
    this.#waiting++
    return false
  }

  /** The message that may be handed out is settled. Returns the one that may be now. */
  leave(key: string): number | undefined {
    const line = this.#lines.get(key)
    const next = line?.waiting[line.head]
    if (line === undefined || next === undefined) {
      this.#lines.delete(key)
      return undefined
    }
    line.active = next
    line.head++
    this.#waiting--
    if (line.head > MOST_GONE) {
      line.waiting.splice(0, line.head)
      line.head = 0
    }
    return next
  }

  /** Those that wait, by their keys. */
  *all(): Generator<readonly [key: string, waiting: readonly number[]]> {
    for (const [key, { waiting, head }] of this.#lines) if (head < waiting.length) yield [key, waiting.slice(head)]
  }

  /** The one that waits with the lowest sequence; Infinity where none does. */
  lowest(): number {
    let lowest = Number.POSITIVE_INFINITY
    for (const { waiting, head } of this.#lines.values()) lowest = Math.min(lowest, waiting[head] ?? lowest)
    return lowest
  }
}
