import { type EventStream, frameOf, type ServerEvent } from './event-stream.ts'
import type { Frame } from './frame.ts'

/** Bytes of news kept for readers that are behind. */
const KEPT_BYTES = 8_388_608
/** Longest the readers are served before other work has its turn, milliseconds. */
const SLICE_MS = 5
/** News that one reader looks at before the next one has its turn. */
const STRIDE = 64

/** What is told, and how. */
export interface BroadcastOptions<T> {
  /** One piece of news as an event: made when the first reader wants it, and shared by all. */
  readonly eventOf: (news: T) => ServerEvent
  /** Rough size of one in memory, bytes. */
  readonly sizeOf: (news: T) => number
  /** Bytes of news kept for readers that are behind; whoever falls further behind is cut off. Default 8 MiB. */
  readonly keptBytes?: number
}

interface Reader<T> {
  readonly events: EventStream
  readonly fits: (news: T) => boolean
  /** Position of what it looks at next. */
  at: number
  /** Whether it has seen everything; otherwise it waits for its turn, or for its connection. */
  resting: boolean
}

interface Kept<T> {
  readonly news: T
  readonly size: number
  frame?: Frame
}

/**
 * Tells news to many event streams. Telling costs the same whoever listens: news are kept once, for a while, and each reader walks through
 * them at its own pace, a few milliseconds' worth for all of them together at a time.
 * @example
 * const changes = new Broadcast<Change>({ eventOf: ({ id }) => ({ data: id }), sizeOf: () => 100 })
 * app.get('/watch', (c) => eventStream(c, { waits, log }, (events) => changes.follow(events, () => true)))
 * changes.tell([change])
 */
export class Broadcast<T> {
  readonly #options: BroadcastOptions<T>
  readonly #readers = new Set<Reader<T>>()
  #kept: Kept<T>[] = []
  #bytes = 0
  /** Position of the first that is kept. */
  #first = 0
  #turns: Reader<T>[] = []
  #serving = false

  constructor(options: BroadcastOptions<T>) {
    this.#options = options
  }

  /** Readers there are now. */
  get readers(): number {
    return this.#readers.size
  }

  /** The position of the next news: where a reader begins who knows all that was told so far. */
  get end(): number {
    return this.#first + this.#kept.length
  }

  /** Whether all that was told from a position on is kept still, so that a reader who was away may begin there. */
  keeps(position: number): boolean {
    return position >= this.#first && position <= this.end
  }

  /** Tells news to those who follow. They hear of it in later turns of the event loop. */
  tell(news: readonly T[]): void {
    for (const one of news) {
      const size = this.#options.sizeOf(one)
      this.#kept.push({ news: one, size })
      this.#bytes += size
    }
    this.#forgetOldest(this.#options.keptBytes ?? KEPT_BYTES)
    for (const reader of this.#readers) if (reader.resting) this.#queue(reader)
  }

  /**
   * Sends news that fit to a stream until it is over; a stream that falls too far behind is cut.
   * @param from a position that `end` gave before. Default: now
   */
  async follow(events: EventStream, fits: (news: T) => boolean, from: number = this.end): Promise<void> {
    const reader: Reader<T> = { events, fits, at: from, resting: true }
    this.#readers.add(reader)
    this.#queue(reader)
    await events.over
    this.#readers.delete(reader)
  }

  #forgetOldest(most: number): void {
    let gone = 0
    for (; this.#bytes > most; gone++) this.#bytes -= this.#kept[gone]?.size ?? this.#bytes
    if (gone === 0) return
    this.#kept = this.#kept.slice(gone)
    this.#first += gone
  }

  #queue(reader: Reader<T>): void {
    reader.resting = false
    this.#turns.push(reader)
    if (!this.#serving) setImmediate(this.#serve)
    this.#serving = true
  }

  readonly #serve = (): void => {
    const until = performance.now() + SLICE_MS
    const turns = this.#turns
    this.#turns = []
    let served = 0
    for (; served < turns.length && performance.now() < until; served++) {
      const reader = turns[served]
      if (reader) this.#advance(reader, until)
    }
    this.#turns = [...turns.slice(served), ...this.#turns]
    this.#serving = this.#turns.length > 0
    if (this.#serving) setImmediate(this.#serve)
  }

  #frameOf(kept: Kept<T>): Frame {
    kept.frame ??= frameOf(this.#options.eventOf(kept.news))
    return kept.frame
  }

  /** Takes a reader on by a stride, or until its time is over. */
  #advance(reader: Reader<T>, until: number): void {
    const { events, fits } = reader
    if (reader.at < this.#first) events.cut()
    if (events.signal.aborted) return
    const stop = Math.min(reader.at + STRIDE, this.end)
    while (reader.at < stop && events.hasRoom && performance.now() < until) {
      const kept = this.#kept[reader.at++ - this.#first]
      if (kept && fits(kept.news)) events.send(this.#frameOf(kept))
    }
    if (reader.at === this.end) reader.resting = true
    else void events.room().then((open) => open && this.#queue(reader))
  }
}
