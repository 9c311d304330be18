/** Duplicates are recognised within this many newest messages of a topic (contract: `Publication.id`). */
export const DEDUP_WINDOW = 100_000

/** Most topics see a handful of messages: 8 slots lie within the engine's own heap, and cost an eighth of a buffer beside it. */
const FIRST_SIZE = 8

/**
 * Remembers where each of a topic's recent ids is stored, in 12 bytes an id instead of the id itself: a 32-bit hash and an
 * offset. A hit is only a guess that the caller checks against the stored message. Two generations of the window's
 * length, the older dropped whole, hold at least the last `DEDUP_WINDOW` ids.
 */
export class RecentIds {
  readonly #window: number
  readonly #seed: number
  #young = new Generation(FIRST_SIZE)
  #old: Generation | undefined

  /**
   * @param seed makes the hash this process's own, so that nobody can choose ids that collide.
   * @param window ids a generation holds. Default `DEDUP_WINDOW`.
   */
  constructor(seed: number, window: number = DEDUP_WINDOW) {
    this.#seed = seed
    this.#window = window
  }

  /** The hash that `find` and `add` want for an id (FNV-1a over its UTF-16 units, seeded, then mixed as in MurmurHash3). */
  hash(id: string): number {
    let hash = this.#seed ^ 0x811c9dc5
    for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return (hash ^ (hash >>> 16)) >>> 0
  }

  /** The offset of the id with this hash for which `isIt` says yes, if it is remembered. */
  find(hash: number, isIt: (offset: number) => boolean): number | undefined {
    return this.#young.find(hash, isIt) ?? this.#old?.find(hash, isIt)
  }

  /** Remembers that the id with this hash is stored at `offset`. */
  add(hash: number, offset: number): void {
    if (this.#young.count >= this.#window) {
      this.#old = this.#young
      this.#young = new Generation(FIRST_SIZE)
    }
    this.#young = this.#young.add(hash, offset)
  }
}

/** An open-addressing hash table that is never more than half full. Offset 0 marks a free slot. */
class Generation {
  count = 0
  readonly #mask: number
  readonly #hashes: Uint32Array
  readonly #offsets: Float64Array

  constructor(size: number) {
    this.#mask = size - 1
    this.#hashes = new Uint32Array(size)
    this.#offsets = new Float64Array(size)
  }

  find(hash: number, isIt: (offset: number) => boolean): number | undefined {
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const offset = this.#offsets[slot] ?? 0
      if (offset === 0) return undefined
      if (this.#hashes[slot] === hash && isIt(offset)) return offset
    }
  }

  /** Adds an entry, and returns the table that has it: this one, or one twice as large. */
  add(hash: number, offset: number): Generation {
    if (this.count * 2 >= this.#mask) return this.#doubled().add(hash, offset)
    let slot = hash & this.#mask
    while (this.#offsets[slot] !== 0) slot = (slot + 1) & this.#mask
    this.#hashes[slot] = hash
    this.#offsets[slot] = offset
    this.count++
    return this
  }

  #doubled(): Generation {
    const larger = new Generation((this.#mask + 1) * 2)
    for (const [slot, offset] of this.#offsets.entries()) {
      if (offset !== 0) larger.add(this.#hashes[slot] ?? 0, offset)
    }
    return larger
  }
}
