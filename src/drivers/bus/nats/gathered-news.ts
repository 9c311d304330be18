/** What happened. */
export interface Happened {
  /** Topics that have new messages: `all` for more than are worth naming. */
  readonly topics?: readonly string[] | 'all'
  /** What there is by name changed. */
  readonly names?: boolean
  /** There are more messages that wait for their time. */
  readonly delayed?: boolean
}

/** What happened since it was last taken. */
export class GatheredNews {
  readonly #mostNamed: number
  readonly #topics = new Set<string>()
  #isAll = false
  #names = false
  #delayed = false

  /** @param mostNamed topics beyond which it is all of them */
  constructor(mostNamed: number) {
    this.#mostNamed = mostNamed
  }

  /** This happened, too. */
  add({ topics = [], names = false, delayed = false }: Happened): void {
    if (topics === 'all') this.#isAll = true
    else for (const topic of topics) this.#topics.add(topic)
    if (this.#topics.size > this.#mostNamed) this.#isAll = true
    if (this.#isAll) this.#topics.clear()
    this.#names ||= names
    this.#delayed ||= delayed
  }

  /** All that happened since; undefined for nothing. */
  take(): Happened | undefined {
    const topics = this.#isAll ? 'all' : [...this.#topics]
    const happened: Happened = {
      ...(topics.length > 0 && { topics }),
      ...(this.#names && { names: true }),
      ...(this.#delayed && { delayed: true }),
    }
    this.#topics.clear()
    this.#isAll = false
    this.#names = false
    this.#delayed = false
    return Object.keys(happened).length > 0 ? happened : undefined
  }
}
