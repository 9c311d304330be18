import type { Socket } from 'node:net'

/** Bytes given to the parser at once: the most that is parsed past a limit. */
const SLICE_BYTES = 1_024
/** How many small pieces of bodies are parsed for one client in a turn of the loop: some 0.3 ms. */
const TURN_PIECES = 256

/**
 * How a socket of node's HTTP server is read. As a rule the server's parser reads it past its stream, 64 KB at a time, which is fast and can't be
 * stopped within a read. Of a client who sends more than is taken at once, or in too small pieces, it is read by slices from then on, as many in a
 * turn of the loop as others can wait for.
 */
export class PacedReading {
  readonly #socket: Socket
  readonly #isFull: () => boolean
  /** What the server had listening; set once the slices are in between. */
  #toParser: ((...args: unknown[]) => unknown) | undefined
  #pieces = 0
  #turnIsOver = false
  #isStopped = false
  #drops = false

  /** @param isFull whether nothing more is taken for now; `proceed` is called when that has changed */
  constructor(socket: Socket, isFull: () => boolean) {
    this.#socket = socket
    this.#isFull = isFull
  }

  /** True while it isn't read since others have to be answered first. */
  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Reads no further until `proceed`. */
  stop(): void {
    this.#slice()
    this.#isStopped = true
    this.#socket.pause()
  }

  /** Reads on, unless it is full still. */
  proceed(): void {
    if (!this.#isStopped || this.#turnIsOver || this.#isFull()) return
    this.#isStopped = false
    this.#socket.resume()
  }

  /** Throws away what comes from now on, unparsed: closing on bytes that arrive would reset the connection, and the last answer with it. */
  drop(): void {
    this.#drops = true
    this.#slice()
    this.#socket.resume()
  }

  /** Counts small pieces of bodies that were parsed; after so many it is other clients' turn. */
  passed(pieces: number): void {
    this.#pieces += pieces
    if (this.#pieces < TURN_PIECES || this.#turnIsOver || this.#drops) return
    this.#turnIsOver = true
    this.stop()
    setImmediate(() => {
      this.#pieces = 0
      this.#turnIsOver = false
      this.proceed()
    })
  }

  #slice(): void {
    if (this.#toParser) return
    const [toParser] = this.#socket.listeners('data')
    if (!toParser) return
    this.#toParser = (...args) => Reflect.apply(toParser, this.#socket, args)
    this.#socket.off('data', toParser as () => void)
    // as soon as somebody listens, node's server parses what the stream gives and no longer the socket's own reads
    this.#socket.on('data', this.#onData)
  }

  readonly #onData = (bytes: Buffer): void => {
    let at = 0
    // the server pauses the socket by itself for a body or answers that nobody reads
    while (at < bytes.length && !this.#drops && !this.#socket.isPaused()) {
      if (this.#isFull()) {
        this.stop()
        break
      }
      this.#toParser?.(bytes.subarray(at, at + SLICE_BYTES))
      at += SLICE_BYTES
    }
    if (at < bytes.length && !this.#drops && !this.#socket.destroyed) this.#socket.unshift(bytes.subarray(at))
  }
}
