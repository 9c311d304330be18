import { hash } from 'node:crypto'
import { DriverError } from '../../driver-error.ts'
import { isNobody } from './faults.ts'
import type { NatsLink } from './link.ts'
import type { Streams } from './streams.ts'

/** How often a broker says that it is there, in milliseconds. */
const BEAT_MS = 400
/** Unheard of for so long, it is asked: of one that was killed the server knows that nobody listens. */
const DOUBT_MS = 1_000
/** Unheard of for so long, it is gone, though it may only hang. What it did another does within 5 s, then. */
const GONE_MS = 2_500
/** How long one that nobody has heard of has to answer, in milliseconds. */
const ANSWER_MS = 1_000

/** What brokers are known by. */
export interface BrokersOptions {
  readonly link: NatsLink
  readonly streams: Streams
  readonly me: string
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/**
 * The brokers on a bus: each says twice a second that it is there. That one is gone is a guess, as it may only be slow: what it does then by mistake the
 * journals refuse.
 */
export class Brokers {
  readonly #options: BrokersOptions
  readonly #heardAt = new Map<string, number>()
  /** Those that were there and are not, as far as is known: they needn't be asked. */
  readonly #lost = new Set<string>()
  readonly #mourners = new Set<(broker: string) => void>()
  readonly #beating: NodeJS.Timeout
  readonly #stopListening: () => void
  /** Since when the others could have been heard. */
  #listeningSince: number

  constructor(options: BrokersOptions) {
    this.#options = options
    const { link, now } = options
    this.#listeningSince = now()
    link.listen(this.#subject, (message) => this.#heard(message.string()))
    // answering is all that being there takes
    link.listen(`${this.#subject}.${options.me}`, (message) => message.respond())
    this.#beating = setInterval(() => this.#beat(), BEAT_MS)
    this.#stopListening = link.on('up', () => {
      this.#listeningSince = now()
    })
    this.#say(options.me)
  }

  get #subject(): string {
    return hereSubject(this.#options.streams)
  }

  /** Calls back with every other broker that is gone. */
  onGone(mourner: (broker: string) => void): void {
    this.#mourners.add(mourner)
  }

  /** How many of those that are there come before this one, in an order that all agree on. */
  rank(): number {
    return [...this.#heardAt.keys()].filter((broker) => broker < this.#options.me).length
  }

  /** Whether something that one broker has to do, but no matter which, falls to this one: each has its share. */
  isMine(what: string): boolean {
    const brokers = [this.#options.me, ...this.#heardAt.keys()].sort()
    const place = Number.parseInt(hash('sha256', what).slice(0, 8), 16) % brokers.length
    return brokers[place] === this.#options.me
  }

  /** Whether a broker is there; asks one that wasn't heard of yet. */
  async isHere(broker: string): Promise<boolean> {
    if (broker === this.#options.me || this.#heardAt.has(broker)) return true
    if (broker === '' || this.#lost.has(broker)) return false
    try {
      await this.#options.link.request(`${this.#subject}.${broker}`, '', ANSWER_MS)
      return true
    } catch (fault) {
      if (fault instanceof DriverError) throw fault
      return false
    }
  }

  /** A broker turned out to be gone: the server has nobody by that name. */
  lost(broker: string): void {
    if (broker === this.#options.me || this.#lost.has(broker)) return
    this.#heardAt.delete(broker)
    this.#lost.add(broker)
    for (const mourner of this.#mourners) mourner(broker)
  }

  /** Says goodbye, so that the others needn't wait to notice. */
  close(): void {
    clearInterval(this.#beating)
    this.#stopListening()
    this.#say(`-${this.#options.me}`)
  }

  #beat(): void {
    this.#say(this.#options.me)
    const now = this.#options.now()
    // while there was no connection nobody could be heard
    if (!this.#options.link.isUp || now - this.#listeningSince < GONE_MS) return
    for (const [broker, at] of this.#heardAt) {
      if (now - at >= GONE_MS) this.lost(broker)
      else if (now - at >= DOUBT_MS) void this.#ask(broker)
    }
  }

  async #ask(broker: string): Promise<void> {
    try {
      await this.#options.link.request(`${this.#subject}.${broker}`, '', ANSWER_MS)
      this.#heard(broker)
    } catch (fault) {
      if (isNobody(fault)) this.lost(broker)
    }
  }

  #heard(text: string): void {
    if (text.startsWith('-')) this.lost(text.slice(1))
    else if (text !== this.#options.me) {
      this.#lost.delete(text)
      this.#heardAt.set(text, this.#options.now())
    }
  }

  #say(text: string): void {
    if (this.#options.link.isUp && !this.#options.link.connection.isClosed())
      this.#options.link.connection.publish(this.#subject, text)
  }
}

/** Whether any broker is on a bus: listens for as long as none is silent. */
export async function hearsBroker(link: NatsLink, streams: Streams): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const listening = link.listen(hereSubject(streams), (message) => message.string().startsWith('-') || resolve(true))
  const timer = setTimeout(() => resolve(false), DOUBT_MS)
  try {
    await link.settled()
    return await promise
  } finally {
    clearTimeout(timer)
    listening.unsubscribe()
  }
}

function hereSubject({ prefix }: Streams): string {
  return `${prefix}.here`
}
