/**
 * Begins things at once, but those of one key each when the one before it has succeeded: where that fails, those behind it of its key are not begun, and fail
 * as it did. A later one must not get there first, as it would if only the first were refused.
 */
export class KeyOrder {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Does something in its turn; what has no key waits for nothing. */
  do<T>(key: string | undefined, work: () => Promise<T>): Promise<T> {
    const before = key === undefined ? undefined : this.#last.get(key)
    const doing = before === undefined ? work() : before.then(work)
    if (key !== undefined) this.#last.set(key, doing)
    return doing
  }
}
