/** An entry, between the one used before it and the one used after it. */
interface Entry<K, V> {
  readonly key: K
  value: V
  older: Entry<K, V> | undefined
  newer: Entry<K, V> | undefined
}

/**
 * A map of bounded size: when it is full, the entry that was unused longest makes room. The order of use is a list of its own. A Map's order of
 * insertion would do, but a use would be a deletion and an insertion, and a Map that is changed by every request makes new tables without end.
 */
export class LruMap<K, V> {
  readonly #limit: number
  readonly #entries = new Map<K, Entry<K, V>>()
  #oldest: Entry<K, V> | undefined
  #newest: Entry<K, V> | undefined

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
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    this.#use(entry)
    return entry.value
  }

  /** Keeps a value, in place of the one the key had. */
  set(key: K, value: V): void {
    const known = this.#entries.get(key)
    if (known) {
      known.value = value
      this.#use(known)
      return
    }
    if (this.#oldest && this.#entries.size >= this.#limit) this.delete(this.#oldest.key)
    const entry: Entry<K, V> = { key, value, older: undefined, newer: undefined }
    this.#entries.set(key, entry)
    this.#append(entry)
  }

  /** Forgets a key; one that isn't kept is fine. */
  delete(key: K): void {
    const entry = this.#entries.get(key)
    if (!entry) return
    this.#entries.delete(key)
    this.#unlink(entry)
  }

  #use(entry: Entry<K, V>): void {
    if (entry === this.#newest) return
    this.#unlink(entry)
    this.#append(entry)
  }

  #unlink(entry: Entry<K, V>): void {
    const { older, newer } = entry
    if (older) older.newer = newer
    else this.#oldest = newer
    if (newer) newer.older = older
    else this.#newest = older
  }

  #append(entry: Entry<K, V>): void {
    entry.older = this.#newest
    entry.newer = undefined
    if (this.#newest) this.#newest.newer = entry
    else this.#oldest = entry
    this.#newest = entry
  }
}
