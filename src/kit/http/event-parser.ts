import { createParser, type EventSourceParser } from 'eventsource-parser'

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
 * Cuts a byte stream into server-sent events (WHATWG HTML §9.2.6), whatever the chunks. Comments and `retry` are left out; an event that the
 * stream ends in the middle of is never given.
 */
export class EventParser {
  readonly #decoder = new TextDecoder()
  readonly #parser: EventSourceParser
  #id = ''

  /**
   * @param give called for each whole event, in order
   * @param maxLength most characters of one event that comes in several chunks
   */
  constructor(give: (event: ReceivedEvent) => void, maxLength: number) {
    this.#parser = createParser({
      maxBufferSize: maxLength,
      onId: (id) => {
        this.#id = id
      },
      onEvent: ({ event = 'message', data }) => give({ event, data, id: this.#id }),
      onError({ type }) {
        if (type === 'max-buffer-size-exceeded') throw new EventTooLarge('An event is too large')
      },
    })
  }

  /** Takes the next bytes. Throws EventTooLarge. */
  push(chunk: Uint8Array): void {
    this.#parser.feed(this.#decoder.decode(chunk, { stream: true }))
  }
}
