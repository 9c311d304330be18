import { AppError } from '../../kit/errors.ts'

/** What writes the items, and how many at once. */
export interface BatchWriterOptions<T> {
  /** Stores items all or nothing. */
  readonly write: (items: readonly T[]) => Promise<void>
  /** Items from which a batch takes no more callers, so that no write holds up the event loop for long. Default 1 000. */
  readonly maxBatch?: number
  /** Items that may wait; a caller beyond is refused. Default 50 000. */
  readonly maxWaiting?: number
}

interface Job<T> {
  readonly items: readonly T[]
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

/**
 * Joins what comes while a write is under way into the next one: under load many small requests cost one transaction, and one segment of
 * the full-text index, together; without load nobody waits for company.
 */
export class BatchWriter<T> {
  readonly #write: (items: readonly T[]) => Promise<void>
  readonly #maxBatch: number
  readonly #maxWaiting: number
  #jobs: Job<T>[] = []
  #waiting = 0
  #running = false

  constructor({ write, maxBatch = 1_000, maxWaiting = 50_000 }: BatchWriterOptions<T>) {
    this.#write = write
    this.#maxBatch = maxBatch
    this.#maxWaiting = maxWaiting
  }

  /** Resolves once the items are stored. Rejects with what the write threw, or with AppError `UNAVAILABLE` when too many wait. */
  add(items: readonly T[]): Promise<void> {
    if (items.length === 0) return Promise.resolve()
    if (this.#waiting > 0 && this.#waiting + items.length > this.#maxWaiting) {
      const headers = { 'retry-after': '1' }
      return Promise.reject(
        new AppError('UNAVAILABLE', 'More comes in than can be stored; try again later', { headers }),
      )
    }
    return new Promise((resolve, reject) => {
      this.#jobs.push({ items, resolve, reject })
      this.#waiting += items.length
      if (!this.#running) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#running = true
    while (this.#jobs.length > 0) {
      const batch = this.#take()
      const items = batch.flatMap((job) => job.items)
      try {
        await this.#write(items)
        for (const job of batch) job.resolve()
      } catch (cause) {
        for (const job of batch) job.reject(cause)
      }
      this.#waiting -= items.length
    }
    this.#running = false
  }

  #take(): readonly Job<T>[] {
    let count = 0
    let size = 0
    for (const job of this.#jobs) {
      if (count > 0 && size + job.items.length > this.#maxBatch) break
      size += job.items.length
      count++
    }
    return this.#jobs.splice(0, count)
  }
}
