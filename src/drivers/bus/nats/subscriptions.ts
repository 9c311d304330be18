import type { Clock } from '../../clock.ts'
import { DriverError } from '../../driver-error.ts'
import type { FreshDeadLetter } from '../administration.ts'
import type { Delivery, PullOptions, ReturnOptions } from '../consumer.ts'
import type { Brokers } from './brokers.ts'
import type { Calls, Request } from './calls.ts'
import type { DeadLetters } from './dead-letters.ts'
import { Journal, type JournalOptions } from './journal.ts'
import { holderName, Leader } from './leader.ts'
import { MessageSource } from './message-source.ts'
import { Moved } from './moved.ts'
import type { Names, SubscriptionName } from './names.ts'

/** How long a caller is passed on from broker to broker before it is told to come again, in milliseconds. */
const PATIENCE_MS = 8_000
/** Between two looks at who leads, in milliseconds. */
const AGAIN_MS = 50

/** Between two attempts to give back what got lost, in milliseconds. */
const GIVE_BACK_AGAIN_MS = 500

/** What subscriptions are led and found with. */
export interface SubscriptionsOptions extends JournalOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly me: string
  readonly names: Names
  readonly brokers: Brokers
  readonly calls: Calls
  readonly deadLetters: DeadLetters
  readonly died: (letter: FreshDeadLetter) => void
  /** Told of a subscription that nobody has used for as long as it may be idle. */
  readonly idle: (id: string) => void
}

/** How many messages a subscription has. */
export interface Counts {
  readonly pending: number
  readonly leased: number
  /** The highest sequence up to which all are done. */
  readonly settledUpTo: number
}

/**
 * Brings what is asked of a subscription to the broker that leads it: this one, which takes over those that nobody leads, or another, by a call. Each is led
 * by one broker at a time; its journal sees to it.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  /** Those that this broker leads, or is about to. */
  readonly #leaders = new Map<string, Promise<Leader>>()
  /** Where others were found last. */
  readonly #elsewhere = new Map<string, string>()
  #isClosed = false

  constructor(options: SubscriptionsOptions) {
    this.#options = options
    options.calls.answer({
      answer: (request, by, signal) => this.#answer(request, by, signal),
      lost: (request, answer) => this.#lost(request, answer),
    })
    options.brokers.onGone((broker) => void this.#gone(broker))
  }

  /** Leases messages; see Bus. */
  async pull(id: string, { max, waitMs, signal, consumer }: PullOptions): Promise<readonly Delivery[]> {
    const { clock, me } = this.#options
    const until = clock.monotonic() + Math.max(0, waitMs)
    const holder = holderName(me, consumer)
    return this.#with(id, {
      here: (leader) => leader.pull({ max, waitMs: until - clock.monotonic(), holder, signal }),
      there: (broker) => {
        const patienceMs = Math.max(0, until - clock.monotonic())
        const request = { what: 'pull', of: id, args: [max, patienceMs, consumer ?? ''] }
        return this.#options.calls.call<readonly Delivery[]>(broker, request, { patienceMs, signal })
      },
      ...(waitMs > 0 && { over: () => (signal.aborted ? [] : undefined) }),
    })
  }

  /** See Bus. */
  ack(id: string, tokens: readonly string[]): Promise<number> {
    return this.#ask(id, { what: 'ack', of: id, args: [tokens] })
  }

  /** See Bus. */
  renew(id: string, tokens: readonly string[]): Promise<number> {
    return this.#ask(id, { what: 'renew', of: id, args: [tokens] })
  }

  /** See Bus. */
  nack(id: string, tokens: readonly string[], options: ReturnOptions): Promise<number> {
    return this.#ask(id, { what: 'nack', of: id, args: [tokens, options] })
  }

  /** See Bus. */
  release(id: string, consumer: string): Promise<number> {
    return this.#ask(id, { what: 'release', of: id, args: [consumer] })
  }

  /** How many messages it has. */
  describe(id: string): Promise<Counts> {
    return this.#ask(id, { what: 'describe', of: id, args: [] })
  }

  /** It is in use. */
  used(id: string): Promise<void> {
    return this.#ask(id, { what: 'used', of: id, args: [] })
  }

  /** Puts dead letters back into it, by their sequences, as far as there is room; gives those that were. The letters themselves may be more than a call takes. */
  takeBack(id: string, seqs: readonly number[]): Promise<readonly number[]> {
    return this.#ask(id, { what: 'takeBack', of: id, args: [seqs] })
  }

  /** Something was published. */
  heard(topics: readonly string[] | 'all'): void {
    for (const leader of this.#leaders.values()) void leader.then((one) => one.heard(topics)).catch(() => {})
  }

  /** Names changed: those that are gone end. */
  namesChanged(): void {
    for (const [id, leader] of this.#leaders) {
      if (this.#options.names.subscriptions.has(id)) continue
      this.#leaders.delete(id)
      void leader.then((one) => one.end()).catch(() => {})
    }
    for (const id of this.#elsewhere.keys()) if (!this.#options.names.subscriptions.has(id)) this.#elsewhere.delete(id)
  }

  /** Finishes what was asked for and hands all that it leads over. */
  async close(): Promise<void> {
    this.#isClosed = true
    const leaders = await Promise.allSettled(this.#leaders.values())
    await Promise.all(leaders.map((one) => (one.status === 'fulfilled' ? one.value.handOver() : undefined)))
  }

  #ask<T>(id: string, request: Request): Promise<T> {
    const { calls, me } = this.#options
    return this.#with(id, {
      here: (leader) => perform(leader, request, me) as Promise<T>,
      there: (broker) => calls.call<T>(broker, request),
    })
  }

  /** Does something where the subscription is led, looking again while that changes. */
  async #with<T>(
    id: string,
    how: { here: (leader: Leader) => Promise<T>; there: (broker: string) => Promise<T>; over?: () => T | undefined },
  ): Promise<T> {
    const { clock, me } = this.#options
    const until = clock.monotonic() + PATIENCE_MS
    for (let attempt = 1; ; attempt++) {
      if (this.#isClosed) throw new DriverError('closed', 'the bus is closed')
      const name = await this.want(id)
      try {
        const led = this.#leaders.get(id)
        if (led) return await how.here(await led)
        const broker = this.#elsewhere.get(id) ?? (await this.#leaderOf(name))
        if (broker === me) return await how.here(await this.#lead(name))
        this.#elsewhere.set(id, broker)
        return await how.there(broker)
      } catch (fault) {
        if (!(fault instanceof Moved)) throw fault
        this.#elsewhere.delete(id)
        const over = how.over?.()
        if (over !== undefined) return over
        if (attempt > 3 && clock.monotonic() >= until) {
          throw new DriverError('unavailable', 'the brokers have not agreed yet who leads this subscription', {
            cause: fault,
            retryAfterS: 1,
          })
        }
        if (attempt > 1) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    }
  }

  /** The subscription as it stands. Rejects with DriverError `not-found`. */
  async want(id: string): Promise<SubscriptionName> {
    const { names } = this.#options
    const known = names.subscriptions.get(id)
    if (known) return known
    await names.refresh()
    const found = names.subscriptions.get(id)
    if (found) return found
    throw new DriverError('not-found', `no subscription ${id}; it may have been removed`)
  }

  /** The broker that leads it; this one where none does. */
  async #leaderOf({ id }: SubscriptionName): Promise<string> {
    const { brokers, me } = this.#options
    const leader = await new Journal(id, this.#options).leader()
    if (leader === undefined || leader === me || !(await brokers.isHere(leader))) return me
    return leader
  }

  #lead(name: SubscriptionName): Promise<Leader> {
    const { id, topic } = name
    const known = this.#leaders.get(id)
    if (known) return known
    const { names, brokers, idle } = this.#options
    const parts = {
      ...this.#options,
      journal: new Journal(id, this.#options),
      source: new MessageSource({ ...this.#options, topic }),
      name: () => names.subscriptions.get(id),
      idle: () => idle(id),
      unsure: (tokens: readonly string[]) => void this.#giveBack(id, tokens),
      lost: () => void (this.#leaders.get(id) === leading && this.#leaders.delete(id)),
    }
    const leading = Leader.lead(parts, name, (broker) => brokers.isHere(broker))
    this.#leaders.set(id, leading)
    leading.catch(() => this.#leaders.get(id) === leading && this.#leaders.delete(id))
    return leading
  }

  /** Somebody takes this broker for the leader: by the journal it is, where what it had in memory was given up for a write that failed. */
  async #leadAgain(id: string): Promise<Leader> {
    const name = this.#options.names.subscriptions.get(id)
    if (this.#isClosed || name === undefined) throw new Moved()
    const leader = await new Journal(id, this.#options).leader()
    if (leader !== this.#options.me) throw new Moved()
    return this.#lead(name)
  }

  async #answer(request: Request, by: string, signal: AbortSignal): Promise<unknown> {
    const leader = await (this.#leaders.get(request.of) ?? this.#leadAgain(request.of))
    if (this.#isClosed) throw new Moved()
    if (request.what !== 'pull') return perform(leader, request, by)
    const [max, waitMs, consumer] = request.args as [number, number, string]
    return leader.pull({ max, waitMs, holder: holderName(by, consumer), signal })
  }

  /** A pull's answer never came to whoever asked. */
  #lost({ what, of }: Request, answer: unknown): void {
    if (what !== 'pull') return
    const deliveries = answer as readonly Delivery[]
    void this.#giveBack(
      of,
      deliveries.map(({ ack }) => ack),
    )
  }

  /** Nobody has these deliveries, if they were made at all: gives them back, as soon as that can be written down. */
  async #giveBack(id: string, tokens: readonly string[]): Promise<void> {
    const { clock, names } = this.#options
    const options = { delayMs: 0, reason: 'it was lost on the way', unseen: true }
    const until = clock.monotonic() + (names.subscriptions.get(id)?.ackWaitMs ?? 0)
    while (tokens.length > 0 && !this.#isClosed && clock.monotonic() < until) {
      try {
        await this.nack(id, tokens, options)
        return
      } catch {
        await new Promise((resolve) => setTimeout(resolve, GIVE_BACK_AGAIN_MS))
      }
    }
  }

  /** A broker is gone: its consumers are, and what it led somebody has to lead, whether it is asked for or not. */
  async #gone(broker: string): Promise<void> {
    for (const leader of this.#leaders.values()) void leader.then((one) => one.brokerGone(broker)).catch(() => {})
    for (const [id, leader] of this.#elsewhere) if (leader === broker) this.#elsewhere.delete(id)
    const { names, brokers } = this.#options
    for (const { id } of [...names.subscriptions.values()]) {
      if (this.#isClosed) return
      if (this.#leaders.has(id) || this.#elsewhere.has(id) || !brokers.isMine(id)) continue
      // one that fails is led by whoever is asked for it
      await this.describe(id).catch(() => {})
    }
  }
}

/** What is asked of a leader by name, of whichever broker's it is. */
function perform(leader: Leader, { what, args }: Request, by: string): Promise<unknown> {
  const [first, second] = args
  if (what === 'ack') return leader.ack(first as readonly string[])
  if (what === 'renew') return leader.renew(first as readonly string[], by)
  if (what === 'nack') return leader.nack(first as readonly string[], second as ReturnOptions)
  if (what === 'release') return leader.release(holderName(by, first as string))
  if (what === 'takeBack') return leader.takeBack(first as readonly number[])
  if (what === 'describe') return leader.describe()
  if (what === 'used') return Promise.resolve(leader.used())
  throw new DriverError('invalid', `this broker knows no ${what}: are the brokers of one version?`)
}
