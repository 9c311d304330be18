/** Sequences kept that lie beyond a gap; further ones count as not told. Some 3 MB. */
const MOST_BEYOND = 100_000

/**
 * Of which messages of a stream it was told that they are stored. It knows gaps: the highest sequence that was told of proves nothing about those before it,
 * as each broker tells of its own messages, and one of them may have died before it did.
 */
export class ToldSequences {
  #upTo = 0
  readonly #beyond = new Set<number>()

  /** All up to this sequence were told. */
  get upTo(): number {
    return this.#upTo
  }

  /** These were told. */
  add(seqs: Iterable<number>): void {
    for (const seq of seqs) {
      if (seq === this.#upTo + 1) this.#upTo = seq
      else if (seq > this.#upTo && this.#beyond.size < MOST_BEYOND) this.#beyond.add(seq)
    }
    this.#close()
  }

  /** All up to a sequence count as told, whatever was told of them. */
  fill(upTo: number): void {
    if (upTo <= this.#upTo) return
    this.#upTo = upTo
    for (const seq of this.#beyond) if (seq <= upTo) this.#beyond.delete(seq)
    this.#close()
  }

  #close(): void {
    while (this.#beyond.delete(this.#upTo + 1)) this.#upTo++
  }
}
