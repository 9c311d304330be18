import { DriverError } from '../../driver-error.ts'
import { boundedLimit } from '../page-of.ts'
import type { BusReader, Cursor, Reading } from '../reader.ts'
import { topicPattern } from '../topic-pattern.ts'
import { cursorAt, cursorBehind, markOf, parseCursor } from './log-cursor.ts'
import type { Found, MessageLog } from './message-log.ts'
import type { ReadLimits } from './message-rows.ts'
import { PatternReader, takeInTurns } from './pattern-reader.ts'

/** Most payload that one call reads, in characters. */
const MAX_READ_SIZE = 16 * 1024 * 1024

/** What a log reader works with. */
export interface LogReaderOptions {
  readonly log: MessageLog
  /** Runs a look into the database. Throws DriverError when the bus is closed, and for a fault. */
  readonly look: <T>(look: () => T) => T
}

/** Reads the log without taking anything, by cursors. */
export class LogReader implements Pick<BusReader, 'place' | 'read'> {
  readonly #log: MessageLog
  readonly #look: <T>(look: () => T) => T

  constructor({ log, look }: LogReaderOptions) {
    this.#log = log
    this.#look = look
  }

  async place(pattern: string, from: Parameters<BusReader['place']>[1]): Promise<Cursor> {
    return this.#look(() => {
      if (from === 'new') return cursorAt(this.#log.end)
      if (from === 'first') return cursorAt(0)
      if (typeof from === 'number') return this.#before(pattern, from)
      this.position(from.after)
      return from.after
    })
  }

  async read(
    source: string,
    { after, limit, signal }: { after: Cursor; limit: number; signal?: AbortSignal },
  ): Promise<Reading> {
    const pattern = topicPattern(source)
    const limits = { messages: boundedLimit(limit), characters: MAX_READ_SIZE }
    const reader = new PatternReader(this.#log, pattern, () => 1)
    const take = (position: number): Found =>
      this.#look(() => (pattern.exact ? this.#takeOfTopic(source, position, limits) : reader.take(position, limits)))
    const { position: start } = this.#look(() => parseCursor(after))
    if (limits.messages === 0) return { messages: [], cursor: after }
    const { rows, position } = await takeInTurns(take, { after: start, end: () => this.#log.end, signal })
    const messages = rows.map((row) => ({ ...this.#log.message(row), cursor: cursorBehind(row) }))
    const last = messages.at(-1)
    return { messages, cursor: last?.cursor ?? cursorAt(Math.max(start, position)) }
  }

  /** The position that a cursor means. Throws DriverError `invalid` where it isn't there any more. */
  position(cursor: Cursor): number {
    const { position, mark } = parseCursor(cursor)
    if (position > this.#log.end) {
      throw new DriverError('invalid', `${cursor} is no cursor of this broker's messages: it lies beyond the last one`)
    }
    const there = mark === undefined ? undefined : this.#log.at(position)
    if (there === undefined || markOf(there) === mark) return position
    throw new DriverError(
      'invalid',
      `another message is at ${cursor} now, since the log was put back from a copy: begin at first, or at new`,
    )
  }

  /** The place before a topic's message with an offset, or before the next one to come. */
  #before(name: string, offset: number): Cursor {
    if (!topicPattern(name).exact) {
      throw new DriverError('invalid', 'an offset counts within one topic: begin a pattern at a cursor')
    }
    const topic = this.#log.named(name)
    const last = topic?.last ?? 0
    if (!Number.isSafeInteger(offset) || offset < 1 || offset > last + 1) {
      throw new DriverError(
        'invalid',
        `${name} has messages up to offset ${last}, and ${offset} lies beyond the next one`,
      )
    }
    if (topic === undefined || offset > last) return cursorAt(this.#log.end)
    const position = this.#log.positionOf(topic, Math.max(offset, topic.first))
    return cursorAt(position === undefined ? this.#log.end : position - 1)
  }

  #takeOfTopic(name: string, after: number, limits: ReadLimits): Found {
    const topic = this.#log.named(name)
    const rows =
      topic === undefined || topic.lastPosition <= after
        ? []
        : this.#log.read(topic, after > 0 ? this.#log.offsetBehind(topic, after) : topic.first, limits).rows
    return { rows, position: rows.at(-1)?.position ?? this.#log.end }
  }
}
