/** A map of bounded size: when it is full, the entry that was unused longest makes room. */
export class LruMap<K, V> {
  readonly #limit: number
  /** In the order of use, as a Map keeps the order of insertion: the first is the one unused longest. */
  readonly #entries = new Map<K, V>()

  /** @param limit most entries kept, at least 1 */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size
  }

  /** The value of a key, which counts as a use; undefined when it isn't kept. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  /** Keeps a value, in place of the one the key had. */
  set(key: K, value: V): void {
    this.#entries.delete(key)
    if (this.#entries.size >= this.#limit) {
      const oldest = this.#entries.keys().next()
      if (!oldest.done) this.#entries.delete(oldest.value)
    }
    this.#entries.set(key, value)
  }

  /** Forgets a key; one that isn't kept is fine. */
  delete(key: K): void {
    this.#entries.delete(key)
  }
}
