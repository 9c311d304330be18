import { randomUUID } from 'node:crypto'
import { createInbox, type Msg } from '@nats-io/transport-node'
import { DriverError, type DriverErrorKind } from '../../driver-error.ts'
import type { Brokers } from './brokers.ts'
import { callParts, PartJoiner } from './call-parts.ts'
import type { NatsLink } from './link.ts'
import { Moved } from './moved.ts'
import type { Streams } from './streams.ts'

/** How much longer than what it waits for a call may take, in milliseconds. */
const MARGIN_MS = 8_000
/** Whoever asked has so long to say that he got the answer, in milliseconds. */
const RECEIPT_MS = 2_000
/** A call whose next part doesn't come for so long never comes whole, in milliseconds. */
const PART_MS = 2_000

/** What one broker asks another for, by name and with arguments that are JSON. */
export interface Request {
  readonly what: string
  readonly of: string
  readonly args: readonly unknown[]
}

/** A request on its way: who asks, and by what name he knows the answer. */
interface Call extends Request {
  readonly id: string
  readonly by: string
}

/** What answers calls. */
export interface Answering {
  /** @param by the broker that asks @param signal fires when it wants no answer any more, or is gone */
  answer(request: Request, by: string, signal: AbortSignal): Promise<unknown>
  /** Whoever asked doesn't say that he got this answer: it was lost on the way. */
  lost(request: Request, answer: unknown): void
}

/** What calls are made with. */
export interface CallsOptions {
  readonly link: NatsLink
  readonly streams: Streams
  readonly brokers: Brokers
  readonly me: string
}

interface Sent {
  readonly to: string
  readonly parts: PartJoiner
  settle(answer: Answer): void
}

interface Fault {
  readonly kind: DriverErrorKind
  readonly message: string
  /** What callers may know of it; brokers of an earlier version don't say. Default: the message. */
  readonly told?: string
}

type Answer = { readonly value: unknown } | { readonly fault: Fault } | { readonly moved: true }

/** Calls between the brokers of a bus, by NATS's own request and reply. */
export class Calls {
  readonly #options: CallsOptions
  readonly #inbox = createInbox()
  readonly #sent = new Map<string, Sent>()
  /** What is asked of this broker and isn't here in all its parts, by where its answer goes. */
  readonly #arriving = new Map<string, { readonly parts: PartJoiner; readonly timer: NodeJS.Timeout }>()
  readonly #unconfirmed = new Map<string, NodeJS.Timeout>()
  readonly #answering = new Map<string, { readonly by: string; readonly controller: AbortController }>()

  constructor(options: CallsOptions) {
    this.#options = options
    const { link, brokers } = options
    link.listen(`${this.#inbox}.*`, (message) => this.#answered(message))
    brokers.onGone((broker) => {
      for (const sent of this.#sent.values()) if (sent.to === broker) sent.settle({ moved: true })
      for (const { by, controller } of this.#answering.values()) if (by === broker) controller.abort()
    })
    link.on('up', () => {
      // what was on its way when the connection broke is lost, and what one answers may not be wanted any more
      for (const sent of this.#sent.values()) sent.settle({ moved: true })
      for (const { controller } of this.#answering.values()) controller.abort()
    })
  }

  /** Answers what others ask from now on. */
  answer(answering: Answering): void {
    const { link, streams, me } = this.#options
    const subject = `${streams.prefix}.at.${me}`
    link.listen(subject, (message) => this.#arrived(message, answering))
    link.listen(`${subject}.not`, (message) => this.#answering.get(message.string())?.controller.abort())
    link.listen(`${subject}.got`, (message) => this.#got(message.string()))
  }

  /**
   * Asks a broker. Rejects with `Moved` where it is gone or says so, with the DriverError it says, or `unavailable`.
   * @param patienceMs how long the answer may take, besides the way
   * @param signal tells it that no answer is wanted any more: it answers at once with what it has
   */
  async call<T>(
    to: string,
    request: Request,
    { patienceMs = 0, signal }: { patienceMs?: number; signal?: AbortSignal } = {},
  ): Promise<T> {
    const { link, streams, me } = this.#options
    await link.whenUp()
    const id = randomUUID()
    const subject = `${streams.prefix}.at.${to}`
    const cancel = () => link.isUp && link.connection.publish(`${subject}.not`, id)
    const timer = setTimeout(() => this.#sent.get(id)?.settle({ moved: true }), patienceMs + MARGIN_MS)
    try {
      const answer = await new Promise<Answer>((settle) => {
        this.#sent.set(id, { to, parts: new PartJoiner(), settle })
        const reply = `${this.#inbox}.${id}`
        for (const part of callParts({ id, by: me, ...request }, link.room))
          link.connection.publish(subject, part, { reply })
        signal?.addEventListener('abort', cancel, { once: true })
        if (signal?.aborted) cancel()
      })
      if ('moved' in answer) throw new Moved()
      if ('fault' in answer) throw asThrown(answer.fault)
      // where it can't be said, the answer is taken for lost, and what is in it comes again
      if (link.isUp) link.connection.publish(`${subject}.got`, id)
      return answer.value as T
    } finally {
      clearTimeout(timer)
      this.#sent.delete(id)
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** Ends all calls, and those that are answered. */
  close(): void {
    for (const sent of this.#sent.values()) sent.settle({ fault: { kind: 'closed', message: 'the bus is closed' } })
    for (const { controller } of this.#answering.values()) controller.abort()
    for (const timer of this.#unconfirmed.values()) clearTimeout(timer)
    for (const { timer } of this.#arriving.values()) clearTimeout(timer)
  }

  #arrived(message: Msg, answering: Answering): void {
    const { reply = '', data } = message
    const { parts, timer } = this.#arriving.get(reply) ?? { parts: new PartJoiner() }
    clearTimeout(timer)
    const whole = parts.next(data)
    if (whole === undefined) {
      this.#arriving.set(reply, { parts, timer: setTimeout(() => this.#arriving.delete(reply), PART_MS) })
      return
    }
    this.#arriving.delete(reply)
    const call = whole === 'lost' ? undefined : readCall(whole)
    if (call === undefined) this.#reply(message, { moved: true })
    else void this.#answer(message, call, answering)
  }

  async #answer(message: Msg, { id, by, ...request }: Call, answering: Answering): Promise<void> {
    const controller = new AbortController()
    this.#answering.set(id, { by, controller })
    try {
      const value = await answering.answer(request, by, controller.signal)
      const lost = () => this.#unconfirmed.delete(id) && answering.lost(request, value)
      this.#unconfirmed.set(id, setTimeout(lost, RECEIPT_MS))
      this.#reply(message, { value })
    } catch (fault) {
      if (fault instanceof Moved) this.#reply(message, { moved: true })
      else this.#reply(message, { fault: asFault(fault) })
    } finally {
      this.#answering.delete(id)
    }
  }

  #got(id: string): void {
    clearTimeout(this.#unconfirmed.get(id))
    this.#unconfirmed.delete(id)
  }

  #reply({ reply = '' }: Msg, answer: Answer): void {
    const { link } = this.#options
    if (reply === '' || !link.isUp || link.connection.isClosed()) return
    for (const part of callParts(answer, link.room)) link.connection.publish(reply, part)
  }

  #answered({ subject, data }: Msg): void {
    const sent = this.#sent.get(subject.slice(this.#inbox.length + 1))
    if (sent === undefined) return
    if (data.length === 0) {
      // nobody is there
      this.#options.brokers.lost(sent.to)
      sent.settle({ moved: true })
      return
    }
    const whole = sent.parts.next(data)
    // what is in an answer that got lost comes again
    if (whole === 'lost') sent.settle({ moved: true })
    else if (whole !== undefined) sent.settle(JSON.parse(whole.toString()) as Answer)
  }
}

function asThrown({ kind, message, told = message }: Fault): DriverError {
  return new DriverError(kind, message, { told })
}

function asFault(thrown: unknown): Fault {
  if (!(thrown instanceof DriverError)) return { kind: 'unavailable', message: String(thrown) }
  const { kind, message, told } = thrown
  return { kind, message, told }
}

/** A call as it came; undefined for one whose first parts got lost. */
function readCall(whole: Buffer): Call | undefined {
  try {
    return JSON.parse(whole.toString()) as Call
  } catch {
    return undefined
  }
}
