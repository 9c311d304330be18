import type { StoredMessage } from './publisher.ts'

/**
 * A place between two messages of the bus, whatever their topics. Opaque: a driver makes it and understands it, also after a restart and at every broker of
 * the bus. The letter `c` and at most 100 letters, digits, `-` and `_`, so that nobody takes it for a number and counts on with it.
 */
export type Cursor = string

/** A message, and the place behind it. */
export interface ReadMessage extends StoredMessage {
  readonly cursor: Cursor
}

/** Messages that were found, and the place up to which was looked, where reading goes on. */
export interface Reading {
  readonly messages: readonly ReadMessage[]
  readonly cursor: Cursor
}

/** What looks on without taking anything. */
export interface BusReader {
  /**
   * Where a reader of a topic or pattern begins: `new` with what comes from now on, `first` with all that is kept, a number with that offset of one topic
   * or a later one, `after` behind a place. Rejects `invalid`, with a message for who asked, for a place that isn't there, as an offset beyond any next one
   * or a cursor of a log that was put back from a copy: who waited at it would miss what comes before.
   */
  place(pattern: string, from: 'new' | 'first' | number | { readonly after: Cursor }): Promise<Cursor>
  /**
   * Messages of every topic that fits `pattern`, without lease, in the order stored: those behind `after`, a place that `place` or `read` gave. Fewer than
   * `limit` where they are large or far apart: only none is the end, or `signal` fired.
   */
  read(pattern: string, options: { after: Cursor; limit: number; signal?: AbortSignal }): Promise<Reading>
  /**
   * Calls back whenever something was published, at whichever broker of the bus, to a topic that fits, or to so many that it may; returns how to stop.
   * A call may be missed while a server is away: whoever waits looks by himself from time to time.
   */
  watch(pattern: string, notify: () => void): () => void
}
