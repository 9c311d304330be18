import { DriverError } from '../../driver-error.ts'
import { boundedLimit } from '../page-of.ts'
import type { BusReader, Cursor, Reading } from '../reader.ts'
import { topicPattern } from '../topic-pattern.ts'
import { Watchers } from '../watchers.ts'
import type { JetStream } from './jetstream.ts'
import { storedMessage } from './message-format.ts'
import { StreamReader } from './stream-reader.ts'
import { messageSubject, type Streams } from './streams.ts'

/** Most payload that one call reads, in bytes. */
const MAX_READ_SIZE = 16 * 1024 * 1024
const PART = 256
const FORM = /^c([0-9a-z]{1,11})-([0-9a-z]{1,11})$/

/** What readers read with. */
export interface MessageReaderOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
}

/** Reads messages without taking anything. A cursor is a sequence of the stream, and when that was made: another of the same name is no place of it. */
export class MessageReader implements BusReader {
  readonly #options: MessageReaderOptions
  readonly #watchers = new Watchers()

  constructor(options: MessageReaderOptions) {
    this.#options = options
  }

  async place(pattern: string, from: Parameters<BusReader['place']>[1]): Promise<Cursor> {
    const { last, made } = await this.#stream()
    if (from === 'new') return cursorOf(last, made)
    if (from === 'first') return cursorOf(0, made)
    if (typeof from === 'number') return cursorOf(offsetBefore(pattern, from, last), made)
    const { seq, of } = parse(from.after)
    if (of !== made) throw noPlace(`${from.after} is a cursor of another stream's messages: begin at first, or at new`)
    if (seq > last) throw noPlace(`${from.after} is no cursor of this bus's messages: it lies beyond the last one`)
    return from.after
  }

  /** The sequence that a place of this bus means. */
  seqOf(cursor: Cursor): number {
    return parse(cursor).seq
  }

  async read(
    pattern: string,
    { after, limit, signal }: { after: Cursor; limit: number; signal?: AbortSignal },
  ): Promise<Reading> {
    const { jetStream, streams } = this.#options
    topicPattern(pattern)
    const most = boundedLimit(limit)
    const { seq, of } = parse(after)
    const reader = new StreamReader({
      jetStream,
      stream: streams.messages,
      filter: messageSubject(streams, pattern),
      after: seq,
    })
    const messages: Reading['messages'][number][] = []
    let size = 0
    try {
      while (messages.length < most && size < MAX_READ_SIZE && !signal?.aborted) {
        const wanted = Math.min(PART, most - messages.length)
        const part = await reader.read(wanted)
        for (const message of part) {
          size += message.data.length
          messages.push({ ...storedMessage(streams, message, message), cursor: cursorOf(message.seq, of) })
        }
        if (!reader.mayHaveMore) break
      }
      return { messages, cursor: cursorOf(reader.place, of) }
    } finally {
      reader.close()
    }
  }

  watch(pattern: string, notify: () => void): () => void {
    return this.#watchers.add(pattern, notify)
  }

  /** Something was published. */
  heard(topics: readonly string[] | 'all'): void {
    this.#watchers.published(topics === 'all' ? undefined : topics)
  }

  /** Tells nobody any more. */
  close(): void {
    this.#watchers.clear()
  }

  async #stream(): Promise<{ readonly last: number; readonly made: string }> {
    const { jetStream, streams } = this.#options
    const { last, created } = await jetStream.state(streams.messages)
    return { last, made: Math.floor(Date.parse(created) / 1000).toString(36) }
  }
}

/** The place before a topic's message with an offset, or before the next one to come. */
function offsetBefore(topic: string, offset: number, last: number): number {
  if (!topicPattern(topic).exact) throw noPlace('an offset counts within one topic: begin a pattern at a cursor')
  if (Number.isSafeInteger(offset) && offset >= 1 && offset <= last + 1) return offset - 1
  throw noPlace(`${topic} has messages up to offset ${last} at most, and ${offset} lies beyond the next one`)
}

function cursorOf(seq: number, made: string): Cursor {
  return `c${seq.toString(36)}-${made}`
}

function parse(cursor: Cursor): { readonly seq: number; readonly of: string } {
  const [, seq, of] = FORM.exec(cursor) ?? []
  if (seq === undefined || of === undefined) throw noPlace(`${cursor} is no cursor of this bus's`)
  return { seq: Number.parseInt(seq, 36), of }
}

function noPlace(message: string): DriverError {
  return new DriverError('invalid', message)
}
