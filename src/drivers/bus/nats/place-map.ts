/** Which place on another bus has become which sequence: both grow together, so that each is found by halves. */
export class PlaceMap {
  readonly #places: number[] = []
  readonly #seqs: number[] = []

  /** The last place; 0 before the first. */
  get last(): number {
    return this.#places.at(-1) ?? 0
  }

  /** The sequence of the last place; 0 before the first. */
  get lastSeq(): number {
    return this.#seqs.at(-1) ?? 0
  }

  /** Adds the next place; one that is no further than the last says nothing new. */
  add(place: number, seq: number): void {
    if (place <= this.last) return
    this.#places.push(place)
    this.#seqs.push(seq)
  }

  /** The sequence of a place. */
  seqOf(place: number): number | undefined {
    const at = this.#upTo(place) - 1
    return this.#places[at] === place ? this.#seqs[at] : undefined
  }

  /** The sequence of the last place up to one; 0 where there is none. */
  seqUpTo(place: number): number {
    return this.#seqs[this.#upTo(place) - 1] ?? 0
  }

  /** The place of the last sequence up to one; 0 where there is none. */
  placeOf(seq: number): number {
    return this.#places[countUpTo(this.#seqs, seq) - 1] ?? 0
  }

  /** How many places there are up to one. */
  #upTo(place: number): number {
    return countUpTo(this.#places, place)
  }
}

/** How many of some numbers, which grow, are no larger than one. */
function countUpTo(numbers: readonly number[], most: number): number {
  let [low, high] = [0, numbers.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((numbers[middle] ?? 0) <= most) low = middle + 1
    else high = middle
  }
  return low
}
