import { DriverError } from '../../driver-error.ts'
import type { DeadLetter, DeadLetterQuery } from '../administration.ts'
import { boundedLimit } from '../page-of.ts'
import type { StoredMessage } from '../publisher.ts'
import { isOvertaken, toDriverError } from './faults.ts'
import type { JetStream } from './jetstream.ts'
import { copyWrite, storedMessage } from './message-format.ts'
import { type StreamMessage, StreamReader } from './stream-reader.ts'
import { bytesOf, type StreamWriter, type Write } from './stream-writer.ts'
import type { Streams } from './streams.ts'

/** What a copy says of the message's death, or of where it stood, as JSON in one header. */
const HEADER = 'Msvc-Death'
/** Characters after which no further letter is taken at a time. */
const MOST_SIZE = 2 * 1024 * 1024
/** Letters looked at in one part. */
const PART = 100
/** Longest reason kept, in characters, and in bytes of JSON: messages leave room for no more (message-format.ts). */
const MOST_REASON = 1_000
const MOST_REASON_BYTES = 3_000
/** What is said of a letter beside which there is no room for the content. */
const LEFT_APART =
  '(NATS takes no copy of it, as it is too large: its content is kept as long as its topic keeps the message)'

/** How a message died in a subscription. */
export interface Death {
  readonly deliveries: number
  /** Deliveries ever: with its place it names one delivery for good. */
  readonly attempt: number
  readonly reason: string
  readonly key?: string
  /** There was no room for the content beside this: it lies where the message does, under this id. */
  readonly apart?: string
}

/** A dead letter, and what else its stream says of it. */
export interface Letter extends DeadLetter {
  readonly death: Death
  /** Its sequence in the stream of dead letters. */
  readonly seq: number
}

/** What dead letters are kept with. */
export interface DeadLettersOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly writer: StreamWriter
}

/** Messages that were delivered in vain too often, each with the content it had: a stream with a subject for each, so that none is in it twice. */
export class DeadLetters {
  readonly #options: DeadLettersOptions

  constructor(options: DeadLettersOptions) {
    this.#options = options
  }

  /**
   * Adds a message that died; one that was added before, by a broker that could not write down more, makes no copy. Gives the death as it is kept: of a
   * message that is too large for a copy, its reason says so. Rejects with DriverError.
   */
  async add(subscription: string, message: StoredMessage, death: Death): Promise<Death> {
    const { kept, write } = this.#asKept(message, death, this.#subject(subscription, message.offset))
    await this.#addOne({ ...write, expectOfSubject: 0 }, death)
    return kept
  }

  async #addOne(write: Write, death: Death): Promise<void> {
    const { streams, writer, jetStream } = this.#options
    const { subject } = write
    try {
      await writer.write(write)
    } catch (fault) {
      if (!isOvertaken(fault)) throw toDriverError(fault)
      const there = await this.#at(streams.dead, subject)
      if (there?.death.attempt === death.attempt) return
      // it died before, and was given back since: nobody came to take that letter away
      if (there !== undefined) await jetStream.remove(streams.dead, there.seq)
      await writer.write(write).catch((cause: unknown) => {
        throw toDriverError(cause)
      })
    }
  }

  /** Those that a query means, oldest first. Rejects with DriverError. */
  async list({ subscription, id, limit, after = '0' }: DeadLetterQuery): Promise<readonly Letter[]> {
    if (!/^\d{1,15}$/.test(after)) throw new DriverError('invalid', `${after} is no cursor of a dead letter`)
    const most = boundedLimit(limit)
    const found: Letter[] = []
    let left = MOST_SIZE
    for await (const letter of this.#letters(subscription, Number(after))) {
      if (found.length >= most || left <= 0) break
      if (id !== undefined && letter.id !== id && !letter.id.startsWith(`${id} `)) continue
      found.push(letter)
      left -= letter.payload.length
    }
    return found
  }

  /** Those with one of these ids, or all, of one subscription or of all: at most `most`, and no more than some megabytes. */
  async choose(
    subscription: string | undefined,
    ids: readonly string[] | undefined,
    most: number,
  ): Promise<readonly Letter[]> {
    const wanted = ids && new Set(ids)
    const found: Letter[] = []
    let left = MOST_SIZE
    for await (const letter of this.#letters(subscription, 0)) {
      if (found.length >= most || left <= 0) break
      if (wanted !== undefined && !wanted.has(letter.id)) continue
      found.push(letter)
      left -= letter.payload.length
    }
    return found
  }

  /** The one with a sequence; undefined where it is gone. Rejects with DriverError. */
  async letter(seq: number): Promise<Letter | undefined> {
    const { jetStream, streams } = this.#options
    const found = await jetStream.message(streams.dead, { seq })
    return found && this.#letter(found)
  }

  /** After how many deliveries ever those of a subscription died, by their offsets. Rejects with DriverError. */
  async attempts(subscription: string): Promise<ReadonlyMap<number, number>> {
    const attempts = new Map<number, number>()
    // there may be gigabytes of them, and whoever takes over reads this first
    for await (const { headers } of this.#read(subscription, 0, { headersOnly: true })) {
      const { offset, attempt } = deathIn(headers)
      attempts.set(offset, attempt)
    }
    return attempts
  }

  /** How many there are. Rejects with DriverError. */
  async count(): Promise<number> {
    const { jetStream, streams } = this.#options
    return (await jetStream.state(streams.dead)).messages
  }

  /** Takes one away. False where it was gone. Rejects with DriverError. */
  async remove({ seq }: Letter): Promise<boolean> {
    const { jetStream, streams } = this.#options
    return jetStream.remove(streams.dead, seq)
  }

  /** Keeps the content of one that goes back into its subscription: retention may have taken the original. Rejects with DriverError. */
  async keepContent(letter: Letter): Promise<void> {
    const subject = this.#againSubject(letter.subscription, letter.offset)
    await this.#options.writer.write(this.#asKept(letter, letter.death, subject).write).catch((fault: unknown) => {
      throw toDriverError(fault)
    })
  }

  /** The content of one that is back in its subscription; undefined where it is gone. Rejects with DriverError. */
  content(subscription: string, offset: number): Promise<StoredMessage | undefined> {
    return this.#at(this.#options.streams.leases, this.#againSubject(subscription, offset))
  }

  /** Takes the content away of one that is settled. What fails stays until its subscription goes. */
  forgetContent(subscription: string, offset: number): void {
    const { jetStream, streams } = this.#options
    void jetStream.purge(streams.leases, this.#againSubject(subscription, offset)).catch(() => {})
  }

  /** Takes all of a subscription away that is gone. Rejects with DriverError. */
  async forget(subscription: string): Promise<void> {
    const { jetStream, streams } = this.#options
    await jetStream.purge(streams.dead, `${streams.prefix}.dead.${subscription}.*`)
    await jetStream.purge(streams.leases, `${streams.prefix}.again.${subscription}.*`)
  }

  #subject(subscription: string, offset: number): string {
    return `${this.#options.streams.prefix}.dead.${subscription}.${offset}`
  }

  #againSubject(subscription: string, offset: number): string {
    return `${this.#options.streams.prefix}.again.${subscription}.${offset}`
  }

  async *#letters(subscription: string | undefined, after: number): AsyncGenerator<Letter> {
    for await (const message of this.#read(subscription, after)) yield this.#letter(message)
  }

  async *#read(
    subscription: string | undefined,
    after: number,
    { headersOnly = false }: { headersOnly?: boolean } = {},
  ): AsyncGenerator<StreamMessage> {
    const { jetStream, streams } = this.#options
    const filter = `${streams.prefix}.dead.${subscription ?? '*'}.*`
    const reader = new StreamReader({ jetStream, stream: streams.dead, filter, after, headersOnly })
    try {
      for (;;) {
        const part = await reader.read(PART)
        yield* part
        if (!reader.mayHaveMore) return
      }
    } finally {
      reader.close()
    }
  }

  async #at(stream: string, subject: string): Promise<Letter | undefined> {
    const found = await this.#options.jetStream.message(stream, { lastOf: subject })
    return found && this.#letter(found)
  }

  /** A letter with the content, packed where that is too large beside it; without it where it is still too large, as when `max_payload` was lowered. */
  #asKept(message: StoredMessage, death: Death, subject: string): { readonly kept: Death; readonly write: Write } {
    const { topic, offset, timestamp } = message
    const { mostBytes } = this.#options.writer
    const headers = (kept: Death) => ({ [HEADER]: JSON.stringify({ topic, offset, timestamp, ...kept }) })
    const { apart: _apart, ...whole } = { ...death, reason: cut(death.reason) }
    const write = { subject, ...copyWrite(message, headers(whole), mostBytes) }
    if (bytesOf({ ...write, expectOfSubject: 0 }) <= mostBytes) return { kept: whole, write }
    const reason = whole.reason.endsWith(LEFT_APART) ? whole.reason : `${whole.reason} ${LEFT_APART}`
    const kept = { ...whole, reason, apart: message.id }
    return { kept, write: { subject, payload: '', headers: headers(kept) } }
  }

  async #letter(found: Pick<StreamMessage, 'seq' | 'subject' | 'headers' | 'data'>): Promise<Letter> {
    const { streams } = this.#options
    const { seq, subject, headers } = found
    const { topic, offset, timestamp, ...death } = deathIn(headers)
    const { deliveries, reason, apart } = death
    const at = { seq: offset, timestamp }
    const message =
      apart === undefined ? storedMessage(streams, found, at) : await this.#original({ id: apart, topic, ...at })
    const subscription = subject.split('.')[2] ?? ''
    return { ...message, topic, cursor: String(seq), subscription, deliveries, reason, death, seq }
  }

  /** A message as its topic has it; without content where that doesn't have it any more. */
  async #original({ id, topic, seq, timestamp }: Origin): Promise<StoredMessage> {
    const { jetStream, streams } = this.#options
    const found = await jetStream.message(streams.messages, { seq })
    if (found !== undefined) return storedMessage(streams, found, { seq, timestamp })
    return { id, topic, payload: 'null', form: 'none', attributes: {}, offset: seq, timestamp }
  }
}

/** A message that a letter means, and where it stood. */
interface Origin {
  readonly id: string
  readonly topic: string
  readonly seq: number
  readonly timestamp: number
}

function deathIn(headers: StreamMessage['headers']): Death & Pick<StoredMessage, 'topic' | 'offset' | 'timestamp'> {
  return JSON.parse(headers?.get(HEADER) ?? '{}')
}

/** A reason, as much of it as is kept. */
function cut(reason: string): string {
  let kept = reason.slice(0, MOST_REASON)
  while (Buffer.byteLength(JSON.stringify(kept)) > MOST_REASON_BYTES) kept = kept.slice(0, Math.floor(kept.length / 2))
  return kept
}
