import type { Clock } from '../../clock.ts'
import { parseAckToken } from '../ack-token.ts'
import type { FreshDeadLetter } from '../administration.ts'
import { Alarm } from '../alarm.ts'
import type { Delivery, ReturnOptions } from '../consumer.ts'
import { Idleness } from '../idleness.ts'
import {
  backoffMs,
  type Dead,
  givenBack,
  givenBackUnseen,
  isCurrent,
  leftBehind,
  putOff,
  renewed,
  type Unsettled,
} from '../lease-rules.ts'
import { type TopicPattern, topicPattern } from '../topic-pattern.ts'
import type { DeadLetters } from './dead-letters.ts'
import { HandOut, hasRoom } from './hand-out.ts'
import type { Journal } from './journal.ts'
import { type Entry, LeaseBook } from './lease-book.ts'
import type { MessageSource } from './message-source.ts'
import { Moved } from './moved.ts'
import type { SubscriptionName } from './names.ts'
import { Turns } from './turns.ts'
import { Undertaker } from './undertaker.ts'
import { WaitingPulls } from './waiting-pulls.ts'

/** What a leader works with. */
export interface LeaderParts {
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** This broker. */
  readonly me: string
  readonly journal: Journal
  readonly source: MessageSource
  readonly deadLetters: DeadLetters
  /** The subscription as it stands; undefined when it is gone. */
  readonly name: () => SubscriptionName | undefined
  /** Told of a message that died, once that is stored. */
  readonly died: (letter: FreshDeadLetter) => void
  /** Told that nobody has used it for as long as it may be idle. */
  readonly idle: () => void
  /** Told of deliveries that nobody gets, though they may stand in the journal. */
  readonly unsure: (tokens: readonly string[]) => void
  /** Told that another leads it now, or that it isn't known who does. */
  readonly lost: () => void
}

/**
 * Leads one subscription: hands its messages out and hears what becomes of them. All goes by turns, one at a time: what is asked for meanwhile is done
 * together, and answered once the journal has what changed. When that can't be written down, all that is in memory is given up.
 */
export class Leader {
  readonly #parts: LeaderParts
  readonly #key: number
  readonly #pattern: TopicPattern
  readonly #book: LeaseBook
  readonly #pulls = new WaitingPulls()
  readonly #alarm: Alarm
  readonly #idleness: Idleness
  readonly #turns: Turns
  readonly #undertaker: Undertaker
  readonly #handOut: HandOut
  #isOver = false
  /** Why the journal can't be written. */
  #broken: unknown

  private constructor(parts: LeaderParts, { id, key, topic, expiresAfterMs }: SubscriptionName, book: LeaseBook) {
    const { clock } = parts
    this.#parts = parts
    this.#key = key
    this.#pattern = topicPattern(topic)
    this.#book = book
    const { activeAt } = book
    this.#idleness = new Idleness({ expiresAfterMs, activeAt, now: clock.now(), monotonic: clock.monotonic() })
    this.#alarm = new Alarm(clock, () => this.#tick())
    const turns = new Turns({
      first: () => this.#bury(),
      serve: () => this.#serve(),
      writeDown: () => this.#writeDown(),
      last: () => this.#alarm.set(book.sweepAt),
      failed: (fault) => {
        this.end(fault)
        parts.lost()
      },
    })
    this.#turns = turns
    this.#undertaker = new Undertaker(id, { ...parts, book, turns, fence: () => this.#writeDown(true) })
    this.#handOut = new HandOut({ ...parts, book, turns, pulls: this.#pulls, undertaker: this.#undertaker })
  }

  /**
   * Takes a subscription over: reads its journal, and writes in it who leads now.
   * @param isHere whether a broker is there, as this one is, whose consumers then keep what they have
   * @throws Moved where another that is there was faster, or DriverError
   */
  static async lead(
    parts: LeaderParts,
    name: SubscriptionName,
    isHere: (broker: string) => Promise<boolean>,
  ): Promise<Leader> {
    const { clock, journal, me, source, deadLetters } = parts
    const book = new LeaseBook(clock, { after: name.after, activeAt: name.madeAt })
    const entries = await journal.read()
    const { by = '' } = entries.at(-1) ?? {}
    // it was taken over since somebody looked
    if (by !== '' && by !== me && (await isHere(by))) throw new Moved()
    book.load(entries, name.ackWaitMs)
    // the letter was written, and then its broker could write down no more
    const letters = book.size > 0 ? await deadLetters.attempts(name.id) : new Map<number, number>()
    for (const [offset, attempt] of letters) {
      const entry = book.get(offset)
      if (entry?.state.attempt === attempt) book.delete(entry)
    }
    const gone = new Set<string>()
    for (const broker of new Set(book.heldBy(() => true).map(({ state }) => brokerOf(holderOf(state)))))
      if (!(await isHere(broker))) gone.add(broker)
    book.interrupt((holder) => gone.has(brokerOf(holder)))
    book.written(await journal.add(me, book.takeChanges(true), true))
    source.begin(book.cursor)
    const leader = new Leader(parts, name, book)
    leader.#tick()
    return leader
  }

  /** Leases up to `max` messages to a holder, waiting up to `waitMs` for the first. */
  pull({
    max,
    waitMs,
    holder,
    signal,
  }: {
    max: number
    waitMs: number
    holder: string
    signal: AbortSignal
  }): Promise<readonly Delivery[]> {
    this.#refuseWhenOver()
    this.used()
    if (max < 1 || signal.aborted) return Promise.resolve([])
    const until = this.#parts.clock.monotonic() + Math.max(0, waitMs)
    if (waitMs <= 0) this.#parts.source.mayHaveMore()
    const waiting = this.#pulls.wait({ max: Math.floor(max), until, holder }, signal)
    this.#turns.serve()
    return waiting
  }

  /** Ends deliveries for good. Returns how many tokens were current. */
  ack(tokens: readonly string[]): Promise<number> {
    return this.#settle(tokens, (entry) => this.#undertaker.done(entry))
  }

  /** Begins leases anew. Returns how many tokens were current. */
  renew(tokens: readonly string[], by: string): Promise<number> {
    return this.#settle(tokens, (entry, { ackWaitMs }) => {
      const holder = holderOf(entry.state) || holderName(by)
      const state = renewed(entry.state, { now: this.#parts.clock.monotonic(), ackWaitMs })
      this.#book.set({ ...entry, state: state.at === 'leased' ? { ...state, consumer: holder } : state })
    })
  }

  /** Takes deliveries back, to be made again later. Returns how many tokens were current. */
  nack(tokens: readonly string[], options: ReturnOptions): Promise<number> {
    return this.#settle(tokens, (entry, name) => this.#become(entry, this.#returned(entry.state, options, name)))
  }

  /** Takes back what a holder has on lease that is gone. Returns how many there were. */
  release(holder: string): Promise<number> {
    return this.#work(async (name) => {
      const entries = this.#book.heldBy((one) => one === holder)
      const { maxDeliver } = name
      const how = () => ({ now: this.#parts.clock.monotonic(), random: this.#parts.random(), maxDeliver })
      for (const entry of entries) await this.#become(entry, leftBehind(entry.state, how()))
      this.#serveWaiting()
      return entries.length
    })
  }

  /** A broker is gone, and with it the connections of its consumers. */
  brokerGone(broker: string): void {
    const interrupt = async () => this.#book.interrupt((holder) => brokerOf(holder) === broker)
    void this.#work(interrupt).catch(() => {})
    this.#turns.serve()
  }

  /** Puts dead letters of its own back, by their sequences, as far as there is room. Returns those that were. */
  takeBack(seqs: readonly number[]): Promise<readonly number[]> {
    return this.#work(async () => {
      const { deadLetters } = this.#parts
      const taken: number[] = []
      for (const seq of seqs) {
        if (!hasRoom(this.#book)) break
        const letter = await deadLetters.letter(seq)
        if (letter === undefined) continue
        const { offset, death } = letter
        // a letter that should have gone when it was given back is in the way no longer
        if (!this.#book.has(offset)) {
          await deadLetters.keepContent(letter)
          this.#book.restore(offset, death.key, death.attempt)
        }
        taken.push(seq)
      }
      this.#serveWaiting()
      return taken
    })
  }

  /** Messages neither acknowledged nor dead, of these those on lease, and the highest sequence up to which all are done. */
  describe(): Promise<{ readonly pending: number; readonly leased: number; readonly settledUpTo: number }> {
    this.#tick()
    return this.#work(async () => ({
      pending: this.#book.size + this.#book.waiting + (await this.#parts.source.pending()),
      leased: this.#book.leased(),
      settledUpTo: this.#book.settledUpTo,
    }))
  }

  /** Something was published to these topics. */
  heard(topics: readonly string[] | 'all'): void {
    if (topics !== 'all' && !topics.some((topic) => this.#pattern.matches(topic))) return
    this.#parts.source.mayHaveMore()
    this.#serveWaiting()
  }

  /** Notes that it is in use. */
  used(): void {
    const { clock, name } = this.#parts
    const { expiresAfterMs } = name() ?? {}
    if (expiresAfterMs === undefined) return
    const now = clock.monotonic()
    this.#alarm.set(now + expiresAfterMs)
    if (!this.#idleness.end(expiresAfterMs, now)) return
    this.#idleness.note(now)
    // what isn't written down shortens the subscription's life after a restart, no more
    void this.#work(async () => this.#book.note(Math.floor(clock.now()))).catch(() => {})
  }

  /** Finishes what was asked for and leaves it to whoever comes first. */
  async handOver(): Promise<void> {
    if (this.#isOver) return
    const { journal } = this.#parts
    await this.#work(async () => {}).catch(() => {})
    if (this.#isOver) return
    this.end()
    await journal.add('', this.#book.takeChanges(true), true).catch(() => {})
  }

  /** Ends it: its subscription is gone, or what is in memory isn't so any more (`fault` says why). */
  end(fault?: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#alarm.stop()
    this.#parts.source.close()
    this.#pulls.end(fault)
    this.#turns.end(fault)
  }

  /** Does what is due at a time, and sets the alarm for what comes next. */
  #tick(): void {
    if (this.#isOver) return
    const { clock, name, idle } = this.#parts
    if (this.#pulls.size > 0) this.used()
    const overAt = this.#idleness.overAt(name()?.expiresAfterMs)
    if (overAt <= clock.monotonic()) idle()
    else this.#alarm.set(overAt)
    this.#turns.serve()
  }

  /** Does something in the next turn; what it returns is told once the journal has what it changed. */
  #work<T>(does: (name: SubscriptionName) => Promise<T>): Promise<T> {
    return this.#turns.do(async () => {
      const name = this.#parts.name()
      if (name === undefined) throw new Moved()
      return does(name)
    })
  }

  /** Something may be ready for those who wait. */
  #serveWaiting(): void {
    if (this.#pulls.size > 0) this.#turns.serve()
  }

  #settle(
    tokens: readonly string[],
    settle: (entry: Entry, name: SubscriptionName) => void | Promise<void>,
  ): Promise<number> {
    this.used()
    return this.#work(async (name) => {
      let count = 0
      for (const token of new Set(tokens)) {
        const entry = this.#current(token)
        if (entry === undefined) continue
        count++
        await settle(entry, name)
      }
      this.#serveWaiting()
      return count
    })
  }

  #current(token: string): Entry | undefined {
    const named = parseAckToken(token)
    if (named === undefined || named.subscription !== this.#key) return undefined
    const entry = this.#book.get(named.position)
    const now = this.#parts.clock.monotonic()
    return entry && isCurrent(entry.state, named.attempt, now) ? entry : undefined
  }

  async #writeDown(isWanted = this.#book.hasChanged): Promise<void> {
    // what was to be written is given up with the rest of what is in memory
    if (this.#broken !== undefined) throw this.#broken
    if (!isWanted) return
    const { journal, me } = this.#parts
    const isWhole = journal.wantsWhole
    try {
      this.#book.written(await journal.add(me, this.#book.takeChanges(isWhole), isWhole))
    } catch (fault) {
      this.#broken = fault
      throw fault
    }
  }

  /** Buries those whose last lease ended. */
  async #bury(): Promise<void> {
    const { maxDeliver = 1 } = this.#parts.name() ?? {}
    for (const { entry, reason } of this.#book.sweep(maxDeliver)) {
      // one that can't be buried now is found again a second later
      await this.#undertaker.bury(entry, reason).catch(() => {})
    }
  }

  async #serve(): Promise<void> {
    const before = this.#parts.clock.monotonic()
    await this.#handOut.serve()
    this.#alarm.set(this.#pulls.expire(before))
  }

  #returned(
    state: Unsettled,
    { delayMs, reason = 'given back', later = false, unseen = false, left = false }: ReturnOptions,
    { maxDeliver, giveUpAfterMs }: SubscriptionName,
  ): Unsettled | Dead {
    const now = this.#parts.clock.monotonic()
    const random = this.#parts.random()
    if (unseen) return givenBackUnseen(state, { now, delayMs: delayMs ?? 0, reason })
    if (left) return leftBehind(state, { now, random, maxDeliver, reason })
    if (later) return putOff(state, { now, delayMs: delayMs ?? 0, reason, random, giveUpAfterMs })
    return givenBack(state, { now, delayMs: delayMs ?? backoffMs(state.deliveries, random), reason, maxDeliver })
  }

  async #become(entry: Entry, then: Unsettled | Dead): Promise<void> {
    if (then.at === 'dead') await this.#undertaker.bury(entry, then.reason)
    else this.#book.set({ ...entry, state: then })
  }

  #refuseWhenOver(): void {
    if (this.#isOver) throw new Moved()
  }
}

/** How a consumer of a broker is called in a journal. */
export function holderName(broker: string, consumer = ''): string {
  return `${broker} ${consumer}`
}

function brokerOf(holder: string): string {
  return holder.slice(0, holder.indexOf(' '))
}

function holderOf(state: Unsettled): string {
  return (state.at === 'leased' ? state.consumer : undefined) ?? ''
}
