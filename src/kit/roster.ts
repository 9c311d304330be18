/** Something that a roster keeps, on one at a time. */
export interface Enrolled {
  /** Its place there; `ABSENT` at first, and not to be changed by anybody else. */
  place: number
}

/** The place of what is on no roster. */
export const ABSENT = -1

/**
 * What is under way, in no order, for things that come and go with every request. An array in which the last one takes the place of one that
 * leaves: a Set would make a new table again and again, and an old table that has been promoted keeps all later ones, with the requests in
 * them, through each scavenge (half the young generation, measured).
 */
export class Roster<T extends Enrolled> {
  readonly #all: T[] = []

  /** How many are on it. */
  get size(): number {
    return this.#all.length
  }

  /** Puts one on it; twice is fine. */
  add(one: T): void {
    if (one.place === ABSENT) one.place = this.#all.push(one) - 1
  }

  /** Takes one off it; twice is fine. */
  remove(one: T): void {
    const { place } = one
    if (place === ABSENT) return
    one.place = ABSENT
    const last = this.#all.pop()
    if (!last || last === one) return
    this.#all[place] = last
    last.place = place
  }

  /** Visits all who are on it; whoever is visited, and those visited before him, may leave meanwhile. */
  each(visit: (one: T) => void): void {
    // from the end: the place of one who leaves is taken by one that was visited already
    for (let at = this.#all.length - 1; at >= 0; at--) {
      const one = this.#all[at]
      if (one) visit(one)
    }
  }
}
