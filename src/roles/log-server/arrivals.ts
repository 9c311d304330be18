import { randomBytes } from 'node:crypto'
import type { EntryRow } from './entry-row.ts'

/** Who is told of entries as they are stored. */
export interface ArrivalListener {
  /** Those who follow now. */
  readonly readers: number
  /** The position of the next arrival. */
  readonly end: number
  /** Goes on at a later position: what came between is not told of. */
  skipTo(position: number): void
  /** Tells of entries that are on disk now; the first one's position is `end`. */
  publish(rows: readonly EntryRow[]): void
}

/**
 * The order in which entries came: each has a position, one after the other, in the order of their commits. So whoever goes on behind a position misses
 * nothing, however late an entry came and whatever time it says.
 */
export interface Arrivals {
  /** Eight hexadecimal digits: where these positions hold. Those of another run say nothing. */
  readonly run: string
  /** Names who is told. */
  tell(listener: ArrivalListener): void
  /** Makes sure that it is told of all that comes from here on, as long as it has readers. Rejects with DriverError. */
  open(): Promise<void>
  /** What came at a position and next to it, for a reader who was away; undefined when that isn't known any more. Rejects with DriverError. */
  at(position: number): Promise<readonly EntryRow[] | undefined>
  /** Ends what `open` began. */
  close(): Promise<void>
}

/** The arrivals at a log server that has its store for itself: counted anew in each run, told at once, and kept by the listener alone. */
export class OwnArrivals implements Arrivals {
  readonly run: string
  #listener: ArrivalListener | undefined

  /** @param run eight hexadecimal digits that no other run has */
  constructor(run: string = randomBytes(4).toString('hex')) {
    this.run = run
  }

  /** Tells of entries that are on disk now. */
  came(rows: readonly EntryRow[]): void {
    this.#listener?.publish(rows)
  }

  tell(listener: ArrivalListener): void {
    this.#listener = listener
  }

  async open(): Promise<void> {}

  async at(): Promise<undefined> {
    return undefined
  }

  async close(): Promise<void> {}
}
