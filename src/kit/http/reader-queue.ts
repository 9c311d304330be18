import type { Frame } from './frame.ts'

/** How much may wait for a reader before a source that can wait does so too, bytes; half of what may wait at all, if that is less. */
const LOW_WATER = 65_536
/** How much of small events is copied into one piece, bytes: each reader that stands still may hold a copy. */
const COPIED_BYTES = 16_384
/** Pieces that readers are handed before other work has its turn, some 1 ms' worth: a connection copies what it takes at once. */
const TURN_PIECES = 8

/** Bounds on what waits for slow readers, in bytes. */
export interface QueueLimits {
  /** Of all readers of a role together, a frame that several wait for counted once. */
  readonly queued_bytes: number
  /** Of one reader; one more event may come on top. */
  readonly queued_bytes_per_reader: number
}

/**
 * What waits for all readers of a role. When it grows beyond its bound, the readers that are furthest behind are cut off. They are handed
 * their pieces in turn: a connection may take megabytes at once, whether anybody reads them or not.
 */
export class ReaderQueues {
  readonly #limits: QueueLimits
  readonly #queues = new Set<ReaderQueue>()
  #bytes = 0
  #left = TURN_PIECES
  #waiting: (() => void)[] = []
  #isTurning = false

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  /** Bytes that wait now. */
  get bytes(): number {
    return this.#bytes
  }

  /** A queue for a new reader. @param cut ends the reader's stream; must close the queue */
  open(cut: () => void): ReaderQueue {
    const queue = new ReaderQueue(this.#limits.queued_bytes_per_reader, this, cut)
    this.#queues.add(queue)
    return queue
  }

  /** Before a reader is handed a piece: undefined when it may be now, or what resolves when it may. */
  turn(): Promise<void> | undefined {
    if (!this.#isTurning) setImmediate(this.#nextTurn)
    this.#isTurning = true
    if (this.#left > 0) {
      this.#left--
      return undefined
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  readonly #nextTurn = (): void => {
    const served = this.#waiting.slice(0, TURN_PIECES)
    this.#waiting = this.#waiting.slice(served.length)
    this.#left = TURN_PIECES - served.length
    this.#isTurning = served.length > 0
    if (this.#isTurning) setImmediate(this.#nextTurn)
    for (const go of served) go()
  }

  /** Counts a frame that was put into a queue, and makes room when that was too much. */
  hold(frame: Frame): void {
    if (frame.holders++ > 0) return
    this.#bytes += frame.size
    while (this.#bytes > this.#limits.queued_bytes && this.#cutSlowest());
  }

  /** Takes back what `hold` counted. */
  release(frame: Frame): void {
    if (--frame.holders === 0) this.#bytes -= frame.size
  }

  /** Forgets a queue that has been closed. */
  forget(queue: ReaderQueue): void {
    this.#queues.delete(queue)
  }

  /** False when nobody is left to be cut: one event alone may be larger than the bound. */
  #cutSlowest(): boolean {
    let slowest: ReaderQueue | undefined
    let waiting = 0
    for (const queue of this.#queues) {
      if (queue.since === undefined) continue
      waiting++
      if (slowest?.since === undefined || queue.since < slowest.since) slowest = queue
    }
    if (waiting > 1) slowest?.cut()
    return waiting > 1
  }
}

/** Frames on their way to one reader. */
export class ReaderQueue {
  /** Ends the reader's stream. */
  readonly cut: () => void
  readonly #all: ReaderQueues
  readonly #limit: number
  #frames: Frame[] = []
  /** When each frame came, monotonic milliseconds. */
  #times: number[] = []
  /** Pieces of the first frame that have left. */
  #sent = 0
  #bytes = 0
  #closed = false

  constructor(limit: number, all: ReaderQueues, cut: () => void) {
    this.#limit = limit
    this.#all = all
    this.cut = cut
  }

  /** Whether a source that can wait may send now. */
  get hasRoom(): boolean {
    return this.#bytes < Math.min(LOW_WATER, this.#limit / 2)
  }

  /** When the oldest frame came, monotonic milliseconds; undefined when none waits. */
  get since(): number | undefined {
    return this.#times[0]
  }

  /** Queues a frame. False when the reader is too far behind, now or by it. */
  push(frame: Frame): boolean {
    if (this.#closed || this.#bytes >= this.#limit) return false
    this.#frames.push(frame)
    this.#times.push(performance.now())
    this.#bytes += frame.size
    this.#all.hold(frame)
    return !this.#closed
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#frames.length === 0
  }

  /** The next piece for the connection; undefined when nothing waits. */
  take(): Uint8Array | undefined {
    const [first] = this.#frames
    if (!first) return undefined
    if (first.pieces.length === 1) return this.#takeSmall()
    const piece = first.pieces[this.#sent++]
    this.#bytes -= piece?.length ?? 0
    if (this.#sent === first.pieces.length) this.#forget(1)
    return piece
  }

  /** Drops what waits; nothing is taken from now on. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#forget(this.#frames.length)
    this.#bytes = 0
    this.#all.forget(this)
  }

  /** The first frame, and as many after it as may be copied together. */
  #takeSmall(): Uint8Array | undefined {
    const pieces: Uint8Array[] = []
    let size = 0
    for (const frame of this.#frames) {
      const [piece] = frame.pieces
      if (!piece || frame.pieces.length > 1 || (size > 0 && size + piece.length > COPIED_BYTES)) break
      pieces.push(piece)
      size += piece.length
    }
    this.#forget(pieces.length)
    this.#bytes -= size
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, size)
  }

  #forget(count: number): void {
    for (const frame of this.#frames.slice(0, count)) this.#all.release(frame)
    this.#frames = this.#frames.slice(count)
    this.#times = this.#times.slice(count)
    this.#sent = 0
  }
}
