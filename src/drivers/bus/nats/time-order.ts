/** Things of one part: as many as can be moved along in a microsecond or two. */
const PART = 512

/** What has a time, and a place among others of the same time. */
export interface Timed {
  readonly at: number
  readonly seq: number
}

/**
 * Things in the order of their times, those of one time by their sequences: some hundred thousand, to which one is added anywhere in some microseconds. In one
 * array each would move half of the others, a tenth of a millisecond a time.
 */
export class TimeOrder<T extends Timed> {
  /** None of them is empty. */
  readonly #parts: T[][] = []
  #size = 0

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  /** The one in front. */
  get first(): T | undefined {
    return this.#parts[0]?.[0]
  }

  /** Adds one. */
  add(one: T): void {
    this.#size++
    const which = Math.max(0, firstWhere(this.#parts, ([first]) => first !== undefined && isBefore(one, first)) - 1)
    const part = this.#parts[which]
    if (part === undefined) {
      this.#parts.push([one])
      return
    }
    part.splice(placeIn(part, one), 0, one)
    if (part.length > PART) this.#parts.splice(which + 1, 0, part.splice(PART / 2))
  }

  /** Takes one out. False where it isn't there. */
  delete(one: Timed): boolean {
    const which = firstWhere(this.#parts, ([first]) => first !== undefined && isBefore(one, first)) - 1
    const part = this.#parts[which]
    const at = part === undefined ? 0 : placeIn(part, one)
    if (part?.[at]?.seq !== one.seq) return false
    part.splice(at, 1)
    if (part.length === 0) this.#parts.splice(which, 1)
    this.#size--
    return true
  }

  /** Takes those out whose time is not after `until`, in order, at most so many. */
  take(until: number, most: number): T[] {
    const taken: T[] = []
    for (let part = this.#parts[0]; part !== undefined && taken.length < most; part = this.#parts[0]) {
      const end = firstWhere(part, ({ at }) => at > until)
      taken.push(...part.splice(0, Math.min(end, most - taken.length)))
      if (part.length > 0) break
      this.#parts.shift()
    }
    this.#size -= taken.length
    return taken
  }

  /** All of them in order; while it goes on nothing is added and nothing taken out. */
  *[Symbol.iterator](): Generator<T> {
    for (const part of this.#parts) yield* part
  }
}

function isBefore(one: Timed, other: Timed): boolean {
  return one.at < other.at || (one.at === other.at && one.seq < other.seq)
}

function placeIn(part: readonly Timed[], one: Timed): number {
  return firstWhere(part, (other) => !isBefore(other, one))
}

/** Where that begins which fits, behind all that doesn't; behind all of them where none does. */
function firstWhere<T>(all: readonly T[], fits: (one: T) => boolean): number {
  let low = 0
  let high = all.length
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const one = all[middle]
    if (one !== undefined && fits(one)) high = middle
    else low = middle + 1
  }
  return low
}
