import { randomUUIDv7 } from 'node:crypto'
import { isOvertaken, toDriverError } from './faults.ts'
import type { JetStream } from './jetstream.ts'
import { type Changes, entryBytes, type JournalEntry, readEntry } from './journal-entry.ts'
import { Moved } from './moved.ts'
import { StreamReader } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'
import type { Streams } from './streams.ts'

/** Entries after which the state is written whole, and what is before it taken away. */
const ENTRIES_PER_SNAPSHOT = 1_000
/** Characters after which it is, too. */
const SIZE_PER_SNAPSHOT = 1024 * 1024
const PART = 1_000

/** What a journal is kept with. */
export interface JournalOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly writer: StreamWriter
}

/**
 * What one subscription has handed out, as a journal in a stream. Each entry is stored only behind the one that its writer knows as the last (a condition on
 * the subject's last sequence): that is the fence which keeps a broker that was taken for dead from changing anything.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #subject: string
  /** The sequence of the last entry. */
  #last = 0
  #whole = 0
  #entries = 0
  #size = 0

  /** @param subscription its id */
  constructor(subscription: string, options: JournalOptions) {
    this.#options = options
    this.#subject = leaseSubject(options.streams, subscription)
  }

  /** Whether it has become so long that the next entry should have the whole state. */
  get wantsWhole(): boolean {
    return this.#entries >= ENTRIES_PER_SNAPSHOT || this.#size >= SIZE_PER_SNAPSHOT
  }

  /** Who leads the subscription, by the last entry; undefined where there is no entry. Rejects with DriverError. */
  async leader(): Promise<string | undefined> {
    return (await this.#newest())?.by
  }

  /** Reads all entries from the last whole state on, in order; none where there is none. What is added then comes behind them. Rejects with DriverError. */
  async read(): Promise<readonly JournalEntry[]> {
    const { jetStream, streams } = this.#options
    const newest = await this.#newest()
    if (newest === undefined) return []
    this.#whole = newest.whole === 0 ? newest.seq : newest.whole
    const after = this.#whole - 1
    const reader = new StreamReader({ jetStream, stream: streams.leases, filter: this.#subject, after })
    try {
      const found: JournalEntry[] = []
      for (;;) {
        const part = await reader.read(PART)
        for (const { data } of part) found.push(readEntry(data))
        if (part.length < PART) break
      }
      this.#last = reader.place
      this.#entries = found.length
      return found
    } finally {
      reader.close()
    }
  }

  /**
   * Adds an entry.
   * @param isWhole it says all, and what was before isn't needed any more
   * @throws Moved where somebody else added one since, or DriverError; it may be stored all the same then: read it anew.
   */
  async add(by: string, changes: Changes, isWhole: boolean): Promise<void> {
    const { writer } = this.#options
    const entry: JournalEntry = { by, whole: isWhole ? 0 : this.#whole, ...changes }
    const payload = entryBytes(entry)
    try {
      const id = randomUUIDv7()
      const { seq } = await writer.write({ subject: this.#subject, payload, id, expectOfSubject: this.#last })
      this.#last = seq
    } catch (cause) {
      throw isOvertaken(cause) ? new Moved({ cause }) : toDriverError(cause)
    }
    this.#entries++
    this.#size += payload.length
    if (isWhole) this.#begin()
  }

  /** Takes away what is before the last entry, which says all. */
  #begin(): void {
    const { jetStream, streams } = this.#options
    this.#whole = this.#last
    this.#entries = 0
    this.#size = 0
    // one that fails leaves more to the next
    void jetStream.purge(streams.leases, this.#subject, this.#last).catch(() => {})
  }

  async #newest(): Promise<(JournalEntry & { readonly seq: number }) | undefined> {
    const { jetStream, streams } = this.#options
    const message = await jetStream.message(streams.leases, { lastOf: this.#subject })
    return message && { ...readEntry(message.data), seq: message.seq }
  }
}

/** What `Journal.read` gives, of all subscriptions of a bus on which no broker runs, by their ids: in a few requests however many they are. Rejects with DriverError. */
export async function readJournals({
  jetStream,
  streams,
}: Pick<JournalOptions, 'jetStream' | 'streams'>): Promise<ReadonlyMap<string, readonly JournalEntry[]>> {
  const reader = new StreamReader({ jetStream, stream: streams.leases, filter: leaseSubject(streams, '*'), after: 0 })
  const found = new Map<string, JournalEntry[]>()
  const begin = leaseSubject(streams, '').length
  try {
    for (let part = await reader.read(PART); part.length > 0; part = await reader.read(PART)) {
      for (const { subject, data } of part) {
        const entry = readEntry(data)
        const id = subject.slice(begin)
        const before = found.get(id)
        // one that says all needs none of those before it
        if (before === undefined || entry.whole === 0) found.set(id, [entry])
        else before.push(entry)
      }
    }
    return found
  } finally {
    reader.close()
  }
}

/** The subject of a subscription's journal. */
export function leaseSubject({ prefix }: Streams, subscription: string): string {
  return `${prefix}.lease.${subscription}`
}
