import type { Clock } from '../../clock.ts'
import { Alarm } from '../alarm.ts'
import type { Brokers } from './brokers.ts'
import type { JetStream } from './jetstream.ts'
import { dueOf, placingId } from './message-format.ts'
import type { News } from './news.ts'
import { type StreamMessage, StreamReader } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'
import { laterSubject, messageSubject, type Streams } from './streams.ts'

/** Read, or placed, in one step. */
const STEP = 256
/** How much later than the broker before it one takes over what that should have done, in milliseconds. */
const TURN_MS = 2_000
/** When it is tried again after a failure, in milliseconds. */
const RETRY_MS = 1_000
/** Messages whose ids are still known here when they have taken their places. */
const MOST_PLACED = 100_000

/** What delayed messages are kept with. */
export interface DelayedMessagesOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly writer: StreamWriter
  readonly brokers: Pick<Brokers, 'rank'>
  readonly news: Pick<News, 'published'>
  readonly clock: Clock
  /** How long an id is known for, in milliseconds. */
  readonly dedupMs: number
}

/** A message that waits, or did a short while ago. */
interface Waiting {
  readonly seq: number
  /** What the server knows it by. */
  readonly id: string
  /** Monotonic milliseconds. */
  readonly at: number
}

/**
 * Messages that wait in the stream for the time at which they take their places in their topics. Every broker knows them all, and the first one on the bus
 * places them when they are due; the next ones do what it leaves undone. That two do so at once makes no second copy. While a broker runs its monotonic
 * clock decides; of what was stored before, the wall clock.
 */
export class DelayedMessages {
  readonly #options: DelayedMessagesOptions
  readonly #reader: StreamReader
  readonly #alarm: Alarm
  /** In the order of their times, those of one time in the order that they came. */
  readonly #waiting: Waiting[] = []
  /** By what the server knows them by: those that wait, and those that have taken their places lately. */
  readonly #byId = new Map<string, Waiting>()
  readonly #placed: Waiting[] = []
  #reading: Promise<void> = Promise.resolve()
  /** What the wall clock was ahead of the monotonic one when this broker began. */
  readonly #ahead: number
  #isPlacing = false
  #isClosed = false

  constructor(options: DelayedMessagesOptions) {
    this.#options = options
    const { jetStream, streams, clock } = options
    const filter = laterSubject(streams)
    this.#reader = new StreamReader({ jetStream, stream: streams.messages, filter, after: 0, headersOnly: true })
    this.#alarm = new Alarm(clock, () => void this.#place())
    this.#ahead = clock.now() - clock.monotonic()
  }

  /** The wall clock as it would be had nobody set it since this broker began. */
  now(): number {
    return this.#options.clock.monotonic() + this.#ahead
  }

  /** Places what is due, if its alarm hasn't rung yet. */
  look(): void {
    const [first] = this.#waiting
    if (first !== undefined && first.at <= this.#options.clock.monotonic()) void this.#place()
  }

  /** The sequence of one that waits, or did lately, by what the server knows it by. */
  find(id: string): number | undefined {
    return this.#byId.get(id)?.seq
  }

  /** Reads what came. Rejects with DriverError. */
  refresh(): Promise<void> {
    const reading = this.#reading.then(() => this.#readAll())
    this.#reading = reading.catch(() => {})
    return reading
  }

  /** Places nothing more. */
  close(): void {
    this.#isClosed = true
    this.#alarm.stop()
    this.#reader.close()
  }

  async #readAll(): Promise<void> {
    for (;;) {
      const part = await this.#reader.read(STEP)
      for (const message of part) this.#add(message)
      if (!this.#reader.mayHaveMore) break
    }
    this.#setAlarm()
  }

  #add({ seq, headers }: StreamMessage): void {
    const { clock } = this.#options
    const due = dueOf(headers)
    if (due === undefined) return
    // a wall clock that was set back must not stretch the delay
    const at = clock.monotonic() + Math.min(due.at - this.now(), due.delayMs)
    const one = { seq, id: headers?.get('Nats-Msg-Id') ?? '', at }
    this.#waiting.splice(this.#waiting.findLastIndex((other) => other.at <= at) + 1, 0, one)
    this.#byId.set(one.id, one)
  }

  #setAlarm(after = 0): void {
    const [first] = this.#waiting
    const { brokers, clock } = this.#options
    if (first !== undefined && !this.#isClosed)
      this.#alarm.set(Math.max(first.at + brokers.rank() * TURN_MS, clock.monotonic() + after))
  }

  async #place(): Promise<void> {
    if (this.#isPlacing || this.#isClosed) return
    this.#isPlacing = true
    let again = 0
    try {
      await this.#placeDue()
    } catch {
      // nobody waits for it: it is tried again, and whoever publishes hears of the same fault
      again = RETRY_MS
    }
    this.#isPlacing = false
    this.#setAlarm(again)
  }

  async #placeDue(): Promise<void> {
    const { clock, brokers } = this.#options
    for (;;) {
      const dueBy = clock.monotonic() - brokers.rank() * TURN_MS
      const end = this.#waiting.findIndex(({ at }) => at > dueBy)
      const due = this.#waiting.splice(0, Math.min(STEP, end < 0 ? this.#waiting.length : end))
      if (due.length === 0) return
      try {
        await this.#placeThese(due)
      } catch (fault) {
        this.#waiting.unshift(...due)
        this.#waiting.sort((one, other) => one.at - other.at || one.seq - other.seq)
        throw fault
      }
      this.#remember(due)
    }
  }

  /** Places messages in order; those that are gone another broker has placed. */
  async #placeThese(due: readonly Waiting[]): Promise<void> {
    const { jetStream, streams, writer, news } = this.#options
    const found = await Promise.all(due.map(({ seq }) => jetStream.message(streams.messages, { seq })))
    const topics = new Set<string>()
    const writes = found.flatMap((message) => {
      const topic = dueOf(message?.headers)?.topic
      if (message === undefined || topic === undefined) return []
      topics.add(topic)
      const headers = { 'Msvc-Message': message.headers?.get('Msvc-Message') ?? '' }
      const id = placingId(message.headers?.get('Nats-Msg-Id') ?? '')
      return [writer.write({ subject: messageSubject(streams, topic), payload: message.data, id, headers })]
    })
    const stored = await Promise.all(writes)
    if (stored.length > 0) news.published(topics, Math.max(...stored.map(({ seq }) => seq)))
    const there = found.filter((message) => message !== undefined)
    await Promise.all(there.map(({ seq }) => jetStream.remove(streams.messages, seq).catch(() => {})))
  }

  /** Their ids are known for a while. */
  #remember(placed: readonly Waiting[]): void {
    const { clock, dedupMs } = this.#options
    this.#placed.push(...placed)
    const oldest = clock.monotonic() - dedupMs
    let gone = 0
    for (const { id, at } of this.#placed) {
      if (at > oldest && this.#placed.length - gone <= MOST_PLACED) break
      this.#byId.delete(id)
      gone++
    }
    this.#placed.splice(0, gone)
  }
}
