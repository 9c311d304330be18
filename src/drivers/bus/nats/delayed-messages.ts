import type { Clock } from '../../clock.ts'
import { Alarm } from '../alarm.ts'
import { keyIn } from '../message-key.ts'
import type { Brokers } from './brokers.ts'
import type { JetStream, KeptMessage } from './jetstream.ts'
import { KeyOrder } from './key-order.ts'
import { dueOf, placingId, storedMessage } from './message-format.ts'
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
      const outcomes = await this.#placeThese(due)
      this.#remember(due.filter((_, at) => outcomes[at]?.status === 'fulfilled'))
      const refused = outcomes.find((one) => one.status === 'rejected')
      if (refused === undefined) continue
      this.#waiting.unshift(...due.filter((_, at) => outcomes[at]?.status === 'rejected'))
      this.#waiting.sort((one, other) => one.at - other.at || one.seq - other.seq)
      throw refused.reason
    }
  }

  /** Places messages, those of one key in order; those that are gone another broker has placed. */
  async #placeThese(due: readonly Waiting[]): Promise<readonly PromiseSettledResult<void>[]> {
    const { jetStream, streams } = this.#options
    const order = new KeyOrder()
    try {
      const found = await Promise.all(due.map(({ seq }) => jetStream.message(streams.messages, { seq })))
      return await Promise.allSettled(found.map((message) => this.#placeOne(message, order)))
    } catch (reason) {
      // one whose key isn't known may come before any other
      return due.map(() => ({ status: 'rejected', reason }))
    }
  }

  async #placeOne(message: KeptMessage | undefined, order: KeyOrder): Promise<void> {
    const { jetStream, streams, writer, news } = this.#options
    const topic = dueOf(message?.headers)?.topic
    if (message === undefined || topic === undefined) return
    const headers = { 'Msvc-Message': message.headers?.get('Msvc-Message') ?? '' }
    const id = placingId(message.headers?.get('Nats-Msg-Id') ?? '')
    const write = { subject: messageSubject(streams, topic), payload: message.data, id, headers }
    const key = keyIn(JSON.stringify(storedMessage(streams, message, message).attributes))
    const { seq, duplicate } = await order.do(key, () => writer.write(write))
    news.published({ topics: [topic] }, duplicate ? [] : [seq])
    // one that stayed would get a second place, once its id isn't known any longer
    await jetStream.remove(streams.messages, message.seq)
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
