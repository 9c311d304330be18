import { createInbox, type Msg, type MsgHdrs, MsgHdrsImpl } from '@nats-io/transport-node'
import { DriverError } from '../../driver-error.ts'
import { type ApiFault, isUnderWay, refusal, toDriverError, tooLarge } from './faults.ts'
import type { NatsLink } from './link.ts'

/** How long a write may take in all, a reconnection included, in milliseconds. */
const DEADLINE_MS = 5_000
const SWEEP_MS = 250
/** How long after an answer that settles nothing a write is sent again, in milliseconds: streams come back after the server does. */
const AGAIN_MS = 100
/** How long a write is without an answer before it is sent again, in milliseconds: a cluster drops what comes while a stream has no leader. */
const SILENCE_MS = 1_000
/** Bytes of writes sent again and not answered: no more may gather in front of a server that hangs. */
const MOST_AGAIN_BYTES = 1024 * 1024
/** Bytes on their way beyond which others wait. */
const MOST_BYTES = 32 * 1024 * 1024

/** A version line and an empty one, around headers of which each takes 4 bytes besides name and value (NATS ADR-4). */
const NO_HEADERS_BYTES = 12

/** What is to be stored in a stream. */
export interface Write {
  readonly subject: string
  readonly payload: Uint8Array | string
  /** Sent again, a write with an id makes no copy. Printable ASCII. */
  readonly id?: string
  /** It is stored only if the last message of its subject has this sequence; 0 for none. */
  readonly expectOfSubject?: number
  /** It is stored only if the last message of the whole stream has this sequence. */
  readonly expectOfStream?: number
  /** It is stored only right behind the write with this id, which was sent with it: of writes on the way together none gets in where one before it doesn't. */
  readonly expectBehind?: string | undefined
  /** More headers: names in their usual case, values without line ends. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Where a message is stored. */
export interface Stored {
  readonly seq: number
  /** The server had one with this id. */
  readonly duplicate: boolean
}

interface OnItsWay {
  readonly subject: string
  readonly payload: Uint8Array | string
  readonly headers: MsgHdrs
  readonly size: number
  readonly until: number
  epoch: number
  /** Monotonic milliseconds at which it was sent last. */
  sentAt: number
  /** It was sent again, on the same connection. */
  isAgain: boolean
  /** Set while it is to be sent again in a moment. */
  later: NodeJS.Timeout | undefined
  resolve(stored: Stored): void
  reject(fault: unknown): void
}

/**
 * Writes to streams, many at a time, and waits for JetStream's acknowledgements. What was on its way when the connection broke is sent again on the next:
 * each write has an id, or a condition that holds but once.
 */
export class StreamWriter {
  readonly #link: NatsLink
  readonly #now: () => number
  readonly #inbox = createInbox()
  readonly #onTheirWay = new Map<number, OnItsWay>()
  readonly #stopListening: () => void
  #bytes = 0
  #next = 0
  #waiting: (() => void)[] = []
  #sweeper: NodeJS.Timeout | undefined

  /** @param now monotonic milliseconds */
  constructor(link: NatsLink, now: () => number) {
    this.#link = link
    this.#now = now
    link.listen(`${this.#inbox}.*`, (message) => this.#answered(message))
    this.#stopListening = link.on('up', () => this.#sendAgain())
  }

  /** How many bytes the server takes in one message, headers included: its `max_payload`. */
  get mostBytes(): number {
    return this.#link.most
  }

  /** Resolves once it is stored. Rejects with DriverError `too-large`, with what JetStream says (`isOvertaken` tells), or DriverError `unavailable`. */
  async write(write: Write): Promise<Stored> {
    if (!this.#link.isUp) await this.#link.whenUp()
    const headers = headersOf(write)
    const bytes = bytesOf(write, headers)
    if (bytes > this.mostBytes) throw tooLarge('this', bytes, this.mostBytes)
    while (this.#bytes > MOST_BYTES) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return new Promise((resolve, reject) => {
      const { subject, payload } = write
      const until = this.#now() + DEADLINE_MS
      const size = payload.length
      const sending = { epoch: 0, sentAt: 0, isAgain: false, later: undefined }
      const one: OnItsWay = { subject, payload, headers: encoded(headers), size, until, ...sending, resolve, reject }
      const token = this.#next++
      this.#bytes += size
      this.#onTheirWay.set(token, one)
      this.#sweeper ??= setTimeout(() => this.#sweep(), SWEEP_MS)
      this.#send(token, one)
    })
  }

  /** Gives up on what has no answer yet. */
  close(): void {
    this.#stopListening()
    clearTimeout(this.#sweeper)
    for (const token of this.#onTheirWay.keys())
      this.#end(token)?.reject(new DriverError('closed', 'the bus is closed'))
  }

  #send(token: number, one: OnItsWay): void {
    one.epoch = this.#link.epoch
    one.sentAt = this.#now()
    try {
      this.#link.connection.publish(one.subject, one.payload, {
        reply: `${this.#inbox}.${token}`,
        headers: one.headers,
      })
    } catch (fault) {
      this.#end(token)?.reject(toDriverError(fault))
    }
  }

  #answered(message: Msg): void {
    const token = Number(message.subject.slice(this.#inbox.length + 1))
    const one = this.#onTheirWay.get(token)
    if (one === undefined) return
    if (message.data.length === 0) {
      this.#sendLater(token, one)
      return
    }
    const {
      error,
      seq = 0,
      duplicate = false,
    } = message.json<{ error?: ApiFault; seq?: number; duplicate?: boolean }>()
    // a cluster's leader has it, and most of its servers not yet: it may still be lost
    if (isUnderWay(error) || (error === undefined && duplicate && seq === 0)) {
      this.#sendLater(token, one)
      return
    }
    this.#end(token)
    if (error === undefined) one.resolve({ seq, duplicate })
    else one.reject(refusal(error))
  }

  #sendLater(token: number, one: OnItsWay): void {
    one.later ??= setTimeout(() => {
      one.later = undefined
      if (this.#onTheirWay.has(token)) this.#send(token, one)
    }, AGAIN_MS)
  }

  #sendAgain(): void {
    for (const [token, one] of this.#onTheirWay) if (one.epoch < this.#link.epoch) this.#send(token, one)
  }

  /** Sends again what had no answer for a while, in the order in which it was sent before. */
  #breakSilence(now: number): void {
    if (!this.#link.isUp) return
    let bytes = 0
    for (const { isAgain, size } of this.#onTheirWay.values()) if (isAgain) bytes += size
    for (const [token, one] of this.#onTheirWay) {
      if (now - one.sentAt < SILENCE_MS || one.later !== undefined) continue
      if (!one.isAgain) {
        if (bytes >= MOST_AGAIN_BYTES) break
        bytes += one.size
      }
      one.isAgain = true
      this.#send(token, one)
    }
  }

  #sweep(): void {
    const now = this.#now()
    for (const [token, { until }] of this.#onTheirWay) {
      if (until > now) break
      this.#end(token)?.reject(new DriverError('unavailable', 'NATS did not say in time whether it has stored this'))
    }
    this.#breakSilence(now)
    this.#sweeper = this.#onTheirWay.size > 0 ? setTimeout(() => this.#sweep(), SWEEP_MS) : undefined
  }

  #end(token: number): OnItsWay | undefined {
    const one = this.#onTheirWay.get(token)
    if (one === undefined) return undefined
    this.#onTheirWay.delete(token)
    clearTimeout(one.later)
    this.#bytes -= one.size
    if (this.#waiting.length > 0 && this.#bytes <= MOST_BYTES) {
      const waiting = this.#waiting
      this.#waiting = []
      for (const resolve of waiting) resolve()
    }
    return one
  }
}

/** How many bytes of the server's `max_payload` a write takes. */
export function bytesOf(write: Write, headers: Readonly<Record<string, string>> = headersOf(write)): number {
  let bytes = Buffer.byteLength(write.payload) + NO_HEADERS_BYTES
  for (const [name, value] of Object.entries(headers)) bytes += name.length + Buffer.byteLength(value) + 4
  return bytes
}

function headersOf({ id, expectOfSubject, expectOfStream, expectBehind, headers = {} }: Write): Record<string, string> {
  return {
    ...headers,
    ...(id !== undefined && { 'Nats-Msg-Id': id }),
    ...(expectOfSubject !== undefined && { 'Nats-Expected-Last-Subject-Sequence': String(expectOfSubject) }),
    ...(expectOfStream !== undefined && { 'Nats-Expected-Last-Sequence': String(expectOfStream) }),
    ...(expectBehind !== undefined && { 'Nats-Expected-Last-Msg-Id': expectBehind }),
  }
}

function encoded(headers: Readonly<Record<string, string>>): MsgHdrs {
  return MsgHdrsImpl.fromRecord(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])))
}
