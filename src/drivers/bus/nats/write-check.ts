import { toDriverError } from './faults.ts'
import type { JetStream } from './jetstream.ts'
import { leaseSubject } from './journal.ts'
import type { StreamWriter } from './stream-writer.ts'
import type { Streams } from './streams.ts'

/** Milliseconds for which an answer stands: health is asked by many. */
const STANDS_MS = 1_000

/** What is checked with. */
export interface WriteCheckOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly writer: StreamWriter
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** Finds out whether JetStream takes messages, by a message of no use, for those who ask how it is while nobody publishes. */
export class WriteCheck {
  readonly #options: WriteCheckOptions
  #last: { readonly at: number; readonly outcome: Promise<void> } | undefined

  constructor(options: WriteCheckOptions) {
    this.#options = options
  }

  /** Resolves when it does. Rejects with DriverError, mostly `full` or `unavailable`. */
  check(): Promise<void> {
    const now = this.#options.now()
    if (this.#last === undefined || now >= this.#last.at + STANDS_MS) this.#last = { at: now, outcome: this.#write() }
    return this.#last.outcome
  }

  async #write(): Promise<void> {
    const { jetStream, streams, writer } = this.#options
    // no subscription has this id
    const subject = leaseSubject(streams, 'check')
    try {
      const { seq } = await writer.write({ subject, payload: '' })
      await jetStream.purge(streams.leases, subject, seq)
    } catch (fault) {
      throw toDriverError(fault)
    }
  }
}
