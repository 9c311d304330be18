/** Most bytes handed to a connection at a time: what a reader that stands still may hold besides its queue. */
const PIECE_BYTES = 16_384
/** What of a large frame's end is copied, bytes: a view of it, still on its way, would keep the whole frame when nobody counts it any more. */
const COPIED_BYTES = 131_072
/** How much may wait for a reader before a source that can wait does so too, bytes; half of what may wait at all, if that is less. */
const LOW_WATER = 65_536

/** An event written out. Queued at any number of readers, its bytes are there once. */
export class Frame {
  readonly bytes: Uint8Array
  /** Queues it waits in. */
  holders = 0

  constructor(text: string) {
    this.bytes = Buffer.from(text)
  }
}

/** Bounds on what waits for slow readers, in bytes. */
export interface QueueLimits {
  /** Of all readers of a role together, a frame that several wait for counted once. */
  readonly queued_bytes: number
  /** Of one reader; one more event may come on top. */
  readonly queued_bytes_per_reader: number
}

/** What waits for all readers of a role. When it grows beyond its bound, the readers that are furthest behind are cut off. */
export class ReaderQueues {
  readonly #limits: QueueLimits
  readonly #queues = new Set<ReaderQueue>()
  #bytes = 0

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

  /** Counts a frame that was put into a queue, and makes room when that was too much. */
  hold(frame: Frame): void {
    if (frame.holders++ > 0) return
    this.#bytes += frame.bytes.length
    while (this.#bytes > this.#limits.queued_bytes && this.#cutSlowest());
  }

  /** Takes back what `hold` counted. */
  release(frame: Frame): void {
    if (--frame.holders === 0) this.#bytes -= frame.bytes.length
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
  /** Bytes of the first frame that have left. */
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
    this.#bytes += frame.bytes.length
    this.#all.hold(frame)
    return !this.#closed
  }

  /** The next piece for the connection; undefined when nothing waits. */
  take(): Uint8Array | undefined {
    const [first] = this.#frames
    if (!first) return undefined
    const whole = this.#sent === 0 && first.bytes.length <= PIECE_BYTES
    return whole ? this.#takeFrames() : this.#takeSlice(first)
  }

  /** Drops what waits; nothing is taken from now on. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#forget(this.#frames.length)
    this.#bytes = 0
    this.#all.forget(this)
  }

  #takeFrames(): Uint8Array {
    let size = 0
    let count = 0
    for (; count < this.#frames.length; count++) {
      const length = this.#frames[count]?.bytes.length ?? 0
      if (size + length > PIECE_BYTES) break
      size += length
    }
    const [first, ...others] = this.#frames.slice(0, count).map(({ bytes }) => bytes)
    this.#forget(count)
    this.#bytes -= size
    return first && others.length === 0 ? first : Buffer.concat([first ?? new Uint8Array(), ...others], size)
  }

  #takeSlice(frame: Frame): Uint8Array {
    const view = frame.bytes.subarray(this.#sent, this.#sent + PIECE_BYTES)
    const piece = this.#sent + COPIED_BYTES < frame.bytes.length ? view : Buffer.from(view)
    this.#sent += piece.length
    this.#bytes -= piece.length
    if (this.#sent === frame.bytes.length) this.#forget(1)
    return piece
  }

  #forget(count: number): void {
    for (const frame of this.#frames.slice(0, count)) this.#all.release(frame)
    this.#frames = this.#frames.slice(count)
    this.#times = this.#times.slice(count)
    this.#sent = 0
  }
}
