import { Slice } from '../../drivers/slice.ts'
import type { Broadcast } from './broadcast.ts'
import { END, headOf, type ServerEvent } from './event-stream.ts'
import { type Frame, FrameWriter } from './frame.ts'

/** How many are kept for who asks next. */
const MAX_KEPT = 16

/** How things are, as a stream's first event. */
export interface Snapshot {
  readonly frame: Frame
  /** Where the news begin that it doesn't know. */
  readonly from: number
}

/** A first event, its data in parts that are written one after the other. There are no line breaks in them. */
export interface EventInParts extends Omit<ServerEvent, 'data'> {
  readonly data: Iterable<string>
}

interface Kept {
  readonly from: number
  readonly snapshot: Promise<Snapshot>
  isWritten: boolean
}

/**
 * Snapshots that streams begin with before they follow the news. One is written a little at a time, and once for all who ask for it until
 * there is news; who comes while it is written gets it too, and the news since.
 */
export class Snapshots {
  readonly #news: Pick<Broadcast<unknown>, 'end'>
  readonly #kept = new Map<string, Kept>()

  /** @param news what tells of each change */
  constructor(news: Pick<Broadcast<unknown>, 'end'>) {
    this.#news = news
  }

  /**
   * The snapshot of this name.
   * @param look tells how things are; what it gives must not change while it is written
   */
  of(name: string, look: () => EventInParts | Promise<EventInParts>): Promise<Snapshot> {
    const from = this.#news.end
    const known = this.#kept.get(name)
    if (known && (!known.isWritten || known.from === from)) return known.snapshot
    for (const [other, kept] of this.#kept) {
      if (this.#kept.size >= MAX_KEPT || (kept.isWritten && kept.from !== from)) this.#kept.delete(other)
    }
    const kept: Kept = { from, snapshot: this.#write(from, look), isWritten: false }
    this.#kept.set(name, kept)
    kept.snapshot.then(
      () => (kept.isWritten = true),
      () => this.#kept.get(name) === kept && this.#kept.delete(name),
    )
    return kept.snapshot
  }

  async #write(from: number, look: () => EventInParts | Promise<EventInParts>): Promise<Snapshot> {
    const { data, ...head } = await look()
    const frame = new FrameWriter()
    frame.write(headOf(head))
    const slice = new Slice()
    for (const part of data) {
      if (slice.isOver) await slice.next()
      frame.write(part)
    }
    frame.write(END)
    return { frame: frame.end(), from }
  }
}
