import { ByteBlocks } from './byte-blocks.ts'

/** A server-sent event as it arrived. */
export interface ReceivedEvent {
  /** `message` when the server named none. */
  readonly event: string
  readonly data: string
  /** The last id the server gave on this stream, with this event or before it; empty when none. */
  readonly id: string
}

/** Thrown by `EventParser.push` when one event is larger than the limit. */
export class EventTooLarge extends Error {
  override readonly name = 'EventTooLarge'
}

/**
 * Cuts a byte stream into server-sent events as WHATWG HTML §9.2.6 says, whatever the chunks. Comments and `retry` are left out; an
 * event that the stream ends in the middle of is never given.
 */
export class EventParser {
  readonly #give: (event: ReceivedEvent) => void
  readonly #maxLength: number
  readonly #decoder = new TextDecoder()
  /** The start of a line whose end has not come yet. */
  readonly #rest = new ByteBlocks()
  /** A chunk ended in CR: an LF at the start of the next one belongs to it. */
  #afterReturn = false
  #data: string[] = []
  #dataLength = 0
  #event = ''
  #id = ''

  /**
   * @param give called for each whole event, in order
   * @param maxLength most bytes of one event
   */
  constructor(give: (event: ReceivedEvent) => void, maxLength: number) {
    this.#give = give
    this.#maxLength = maxLength
  }

  /** Takes the next bytes. Throws EventTooLarge. */
  push(chunk: Uint8Array): void {
    // both are bytes of their own in UTF-8
    const end = Math.max(chunk.lastIndexOf(LF), chunk.lastIndexOf(CR)) + 1
    if (end > 0) this.#takeLines(chunk.subarray(0, end))
    this.#rest.push(chunk.subarray(end))
    if (this.#rest.size + this.#dataLength > this.#maxLength) throw new EventTooLarge('An event is too large')
  }

  #takeLines(bytes: Uint8Array): void {
    this.#rest.push(bytes)
    let text = this.#decoder.decode(this.#rest.take(), { stream: true })
    const startsLate = this.#afterReturn && text.startsWith('\n')
    this.#afterReturn = text.endsWith('\r')
    if (startsLate) text = text.slice(1)
    const lines = text.split(LINE_BREAK)
    lines.pop()
    for (const line of lines) this.#take(line)
  }

  #take(line: string): void {
    if (line === '') {
      this.#finish()
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') {
      this.#data.push(value)
      this.#dataLength += value.length + 1
      if (this.#dataLength > this.#maxLength) throw new EventTooLarge('An event is too large')
    } else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
  }

  #finish(): void {
    const { length } = this.#data
    const event = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id }
    this.#data = []
    this.#dataLength = 0
    this.#event = ''
    if (length > 0) this.#give(event)
  }
}

const LF = 0x0a
const CR = 0x0d
const LINE_BREAK = /\r\n|\r|\n/
