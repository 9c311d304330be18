import { roughSize } from './rough-size.ts'

/** Where a spool draws its lines. */
export interface SpoolBounds {
  /** Items held, those on their way included. */
  readonly maxItems: number
  /** Memory in bytes for them, by `roughSize`. */
  readonly maxBytes: number
}

interface Held<T> {
  readonly items: readonly T[]
  readonly sizes: readonly number[]
  readonly bytes: number
}

const NOTHING = { items: [], sizes: [], bytes: 0 } as const

/**
 * A bounded first-in-first-out queue for one sender: what it takes stays counted until it is done with or put back.
 * Beyond the bounds the oldest item that isn't on its way makes room.
 */
export class Spool<T> {
  readonly #bounds: SpoolBounds
  #items: T[] = []
  #sizes: number[] = []
  /** Where the waiting ones begin; what lies before has left, and is cut off in bulk. */
  #head = 0
  #bytes = 0
  #taken: Held<T> = NOTHING

  constructor(bounds: SpoolBounds) {
    this.#bounds = bounds
  }

  /** Items waiting, without those taken. */
  get length(): number {
    return this.#items.length - this.#head
  }

  /** Items waiting and taken. */
  get held(): number {
    return this.length + this.#taken.items.length
  }

  /** Queues an item. Returns how many were dropped for it; when it doesn't fit at all, it is the one. */
  push(item: T): number {
    const size = roughSize(item)
    this.#items.push(item)
    this.#sizes.push(size)
    this.#bytes += size
    let dropped = 0
    while (
      this.length > 0 &&
      (this.held > this.#bounds.maxItems || this.#bytes + this.#taken.bytes > this.#bounds.maxBytes)
    ) {
      this.#forgetOldest()
      dropped++
    }
    return dropped
  }

  /** Takes the oldest items: at most `count` of them, and no more than `bytes` unless the first alone is larger. */
  take(count: number, bytes: number): readonly T[] {
    let size = this.#sizes[this.#head] ?? 0
    let end = this.#head + 1
    while (end < this.#items.length && end - this.#head < count) {
      const next = this.#sizes[end] ?? 0
      if (size + next > bytes) break
      size += next
      end++
    }
    const items = this.#items.slice(this.#head, end)
    this.#taken = { items, sizes: this.#sizes.slice(this.#head, end), bytes: size }
    this.#bytes -= size
    this.#head = end
    this.#cut()
    return items
  }

  /** Lets go of what was taken: it was delivered, or is given up. Returns how many items that were. */
  release(): number {
    const count = this.#taken.items.length
    this.#taken = NOTHING
    return count
  }

  /** Puts what was taken back in front. */
  putBack(): void {
    const { items, sizes, bytes } = this.#taken
    this.#items = [...items, ...this.#items.slice(this.#head)]
    this.#sizes = [...sizes, ...this.#sizes.slice(this.#head)]
    this.#head = 0
    this.#bytes += bytes
    this.#taken = NOTHING
  }

  /** Forgets everything. Returns how many items that were. */
  clear(): number {
    const count = this.held
    this.#items = []
    this.#sizes = []
    this.#head = 0
    this.#bytes = 0
    this.#taken = NOTHING
    return count
  }

  #forgetOldest(): void {
    this.#bytes -= this.#sizes[this.#head] ?? 0
    this.#head++
    this.#cut()
  }

  #cut(): void {
    if (this.#head < 1024 || this.#head * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#head)
    this.#sizes = this.#sizes.slice(this.#head)
    this.#head = 0
  }
}
