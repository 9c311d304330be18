import type { Clock } from '../../clock.ts'
import { Alarm } from '../alarm.ts'
import { type DelayedPlace, tooManyDelayed } from '../delay.ts'
import { keyIn } from '../message-key.ts'
import type { Publication } from '../publisher.ts'
import type { Brokers } from './brokers.ts'
import type { JetStream, KeptMessage } from './jetstream.ts'
import { KeyOrder } from './key-order.ts'
import { type Due, dedupId, dueOf, placingId, storedMessage } from './message-format.ts'
import type { News } from './news.ts'
import type { Receipts } from './receipts.ts'
import { type StreamMessage, StreamReader } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'
import { laterSubject, messageSubject, type Streams } from './streams.ts'
import { type Waiting, WaitingMessages } from './waiting-messages.ts'

/** Read, or placed, in one step. */
const STEP = 256
/** How much later than the broker before it one takes over what that should have done, in milliseconds. */
const TURN_MS = 2_000
/** By how much the clocks of brokers may differ, in milliseconds. */
const CLOCKS_MS = 1_000
/** When it is tried again after a failure, in milliseconds. */
const RETRY_MS = 1_000

/** What delayed messages are kept with. */
export interface DelayedMessagesOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly writer: StreamWriter
  readonly receipts: Pick<Receipts, 'isCancelled'>
  readonly brokers: Pick<Brokers, 'rank'>
  readonly news: Pick<News, 'published'>
  readonly clock: Clock
  /** How long an id is known for, in milliseconds. */
  readonly dedupMs: number
  /** How many may wait: of each something is kept in memory. */
  readonly max: number
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
  readonly #waiting = new WaitingMessages()
  /** Those on their way into the stream, as `dedupId` has them: there is a place for each. */
  readonly #coming = new Set<string>()
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
    const { first } = this.#waiting
    if (first !== undefined && first.at <= this.#options.clock.monotonic()) void this.#place()
  }

  /** How many wait. Rejects with DriverError. */
  count(): Promise<number> {
    const { jetStream, streams } = this.#options
    return jetStream.count(streams.messages, laterSubject(streams))
  }

  /** Whether `known` has to be asked. @param id as `dedupId` has it */
  mayKnow(id: string): boolean {
    return this.#waiting.find(id) !== undefined
  }

  /** One that waits, or did lately. Rejects with DriverError. @param id as `dedupId` has it */
  async known(id: string): Promise<Waiting | undefined> {
    const one = this.#waiting.find(id)
    if (one === undefined || this.#isDue(one) || (await this.message(one)) !== undefined) return one
    return this.#waiting.find(id)
  }

  /** Those behind a place that are wanted, the next one first, at most so many; `message` has what they say. */
  behind(place: DelayedPlace, wants: (one: Waiting) => boolean, most: number): readonly Waiting[] {
    return this.#waiting.behind(place, wants, most)
  }

  /** What one that waits says; undefined where it has its place by now, or another broker has cancelled it. Rejects with DriverError. */
  async message(one: Waiting): Promise<KeptMessage | undefined> {
    const { jetStream, streams } = this.#options
    const found = await jetStream.message(streams.messages, { seq: one.seq })
    if (found === undefined && !this.#isDue(one)) this.#waiting.drop(one)
    return found
  }

  /** Throws one away. False where none waits, or so short that it may be taking its place. Rejects with DriverError. @param id as `dedupId` has it */
  async cancel(id: string): Promise<boolean> {
    const { jetStream, streams, receipts } = this.#options
    await this.refresh()
    const one = this.#waiting.find(id)
    if (one === undefined || this.#isDue(one)) return false
    const wasThere = await jetStream.remove(streams.messages, one.seq)
    this.#waiting.drop(one)
    // while it was asked for another broker may have given it its place
    return wasThere && (!this.#isDue(one) || receipts.isCancelled(one.seq, one.storedAs))
  }

  /**
   * Does something that has more messages wait, or nothing of it. Rejects with DriverError `too-many` where there is no room for those that don't wait yet.
   * @param ids of those, as `dedupId` has them
   */
  async withRoom<T>(ids: readonly string[], does: () => Promise<T>): Promise<T> {
    const fresh = ids.filter((id) => this.#waiting.find(id) === undefined && !this.#coming.has(id))
    if (fresh.length === 0) return does()
    for (const id of fresh) this.#coming.add(id)
    try {
      if (this.#waiting.size + this.#coming.size > this.#options.max) await this.#wantRoom()
      return await does()
    } finally {
      for (const id of fresh) this.#coming.delete(id)
    }
  }

  /** One is in the stream: it needn't be read to be known. @param storedAs what the server knows it by */
  stored(message: Pick<Publication, 'id' | 'topic'>, { at, delayMs }: Due, seq: number, storedAs: string): void {
    this.#add({ id: message.id, topic: message.topic, seq, storedAs, dueAt: at }, delayMs)
    this.#setAlarm()
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
      for (const message of part) this.#read(message)
      if (!this.#reader.mayHaveMore) break
    }
    this.#setAlarm()
  }

  #read(message: StreamMessage): void {
    const due = dueOf(message.headers)
    if (due === undefined) return
    const { seq, headers } = message
    const { id } = storedMessage(this.#options.streams, message, message)
    const storedAs = headers?.get('Nats-Msg-Id') ?? ''
    this.#add({ id, topic: due.topic, seq, storedAs, dueAt: due.at }, due.delayMs)
  }

  #add(one: Omit<Waiting, 'at'>, delayMs: number): void {
    // a wall clock that was set back must not stretch the delay
    const at = Math.min(one.dueAt - this.#ahead, this.#options.clock.monotonic() + delayMs)
    this.#waiting.add({ ...one, at })
    this.#coming.delete(dedupId(one))
  }

  /** Asks the server how many there are: others may have taken some away. */
  async #wantRoom(): Promise<void> {
    const { max, clock } = this.#options
    const there = await this.count()
    if (there + this.#coming.size <= max) return
    throw tooManyDelayed(max, (this.#waiting.first?.at ?? Number.POSITIVE_INFINITY) - clock.monotonic())
  }

  /** Whether a broker may be placing it, whose clock is ahead of this one's. */
  #isDue({ at }: Waiting): boolean {
    return at <= this.#options.clock.monotonic() + CLOCKS_MS
  }

  #setAlarm(after = 0): void {
    const { first } = this.#waiting
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
    const { clock, brokers, dedupMs } = this.#options
    for (;;) {
      const due = this.#waiting.takeDue(clock.monotonic() - brokers.rank() * TURN_MS, STEP)
      if (due.length === 0) return
      const outcomes = await this.#placeThese(due)
      const placed = due.filter((_, at) => outcomes[at]?.status === 'fulfilled')
      this.#waiting.remember(placed, clock.monotonic() - dedupMs)
      const refused = outcomes.find((one) => one.status === 'rejected')
      if (refused === undefined) continue
      this.#waiting.putBack(due.filter((_, at) => outcomes[at]?.status === 'rejected'))
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
}
