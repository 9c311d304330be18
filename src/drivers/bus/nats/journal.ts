import { randomUUIDv7 } from 'node:crypto'
import { isOvertaken, toDriverError } from './faults.ts'
import type { JetStream } from './jetstream.ts'
import { type Changes, entryBytes, type JournalEntry } from './journal-entry.ts'
import { EntryJoiner, partHeaders, readMark } from './journal-parts.ts'
import { Moved } from './moved.ts'
import { partsOf } from './parts.ts'
import { StreamReader } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'
import type { Streams } from './streams.ts'

/** Entries after which the state is written whole, and what is before it taken away. */
const ENTRIES_PER_SNAPSHOT = 1_000
/** Characters after which it is, too. */
const SIZE_PER_SNAPSHOT = 1024 * 1024
const PART = 1_000
/** No subscription has this id. */
const UNUSED = '-'

/** What a journal is kept with. */
export interface JournalOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly writer: Pick<StreamWriter, 'write'>
}

/**
 * What one subscription has handed out, as a journal in a stream. Each entry is stored only behind the one that its writer knows as the last (a condition on
 * the subject's last sequence): that is the fence which keeps a broker that was taken for dead from changing anything. An entry that is longer than a server
 * takes is several messages, each behind the one before it, and counts from the last one on: a whole state that isn't complete leaves the one before valid.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #subject: string
  /** The sequence of the last message. */
  #last = 0
  /** Where the last whole state begins. */
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
    // what a leader doesn't know yet it wouldn't miss in what is added either
    await jetStream.settle(streams.leases, leaseSubject(streams, UNUSED))
    const newest = await this.#newest()
    if (newest === undefined) return []
    this.#whole = newest.whole === 0 ? newest.seq : newest.whole
    const after = this.#whole - 1
    const reader = new StreamReader({ jetStream, stream: streams.leases, filter: this.#subject, after })
    try {
      const found: JournalEntry[] = []
      const joiner = new EntryJoiner()
      for await (const part of reader.readOn(PART)) {
        for (const message of part) {
          const entry = joiner.next(message)
          if (entry !== undefined) found.push(entry)
        }
      }
      this.#last = reader.place
      this.#entries = found.length
      return found
    } finally {
      reader.close()
    }
  }

  /**
   * Adds an entry. Gives its place: each later entry's is higher.
   * @param isWhole it says all, and what was before isn't needed any more
   * @throws Moved where somebody else added one since, or DriverError; it may be stored all the same then: read it anew.
   */
  async add(by: string, changes: Changes, isWhole: boolean): Promise<number> {
    const payload = entryBytes({ by, whole: isWhole ? 0 : this.#whole, ...changes })
    const parts = partsOf(payload, this.#options.jetStream.link.room)
    let first = 0
    for (const [at, part] of parts.entries()) {
      const isLast = at === parts.length - 1
      const headers = partHeaders({ by, whole: isWhole && isLast ? first : this.#whole, at, of: parts.length })
      const seq = await this.#write(part, headers)
      first ||= seq
    }
    this.#entries++
    this.#size += payload.length
    if (isWhole) this.#begin(first)
    return this.#last
  }

  async #write(payload: Uint8Array, headers: Readonly<Record<string, string>>): Promise<number> {
    const { writer } = this.#options
    try {
      const write = { subject: this.#subject, payload, headers, id: randomUUIDv7(), expectOfSubject: this.#last }
      this.#last = (await writer.write(write)).seq
      return this.#last
    } catch (cause) {
      throw isOvertaken(cause) ? new Moved({ cause }) : toDriverError(cause)
    }
  }

  /** Takes away what is before the last entry, which says all and begins at `first`. */
  #begin(first: number): void {
    const { jetStream, streams } = this.#options
    this.#whole = first
    this.#entries = 0
    this.#size = 0
    // one that fails leaves more to the next
    void jetStream.purge(streams.leases, this.#subject, first).catch(() => {})
  }

  async #newest(): Promise<(Pick<JournalEntry, 'by' | 'whole'> & { readonly seq: number }) | undefined> {
    const { jetStream, streams } = this.#options
    const message = await jetStream.message(streams.leases, { lastOf: this.#subject })
    return message && { ...readMark(message), seq: message.seq }
  }
}

/** What `Journal.read` gives, of all subscriptions of a bus on which no broker runs, by their ids: in a few requests however many they are. Rejects with DriverError. */
export async function readJournals({
  jetStream,
  streams,
}: Pick<JournalOptions, 'jetStream' | 'streams'>): Promise<ReadonlyMap<string, readonly JournalEntry[]>> {
  const reader = new StreamReader({ jetStream, stream: streams.leases, filter: leaseSubject(streams, '*'), after: 0 })
  const found = new Map<string, JournalEntry[]>()
  const joiners = new Map<string, EntryJoiner>()
  const begin = leaseSubject(streams, '').length
  try {
    for await (const part of reader.readOn(PART)) {
      for (const message of part) {
        const id = message.subject.slice(begin)
        const joiner = joiners.get(id) ?? new EntryJoiner()
        joiners.set(id, joiner)
        const entry = joiner.next(message)
        if (entry === undefined) continue
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
