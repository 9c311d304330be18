import type { Socket } from 'node:net'
import { inGreedyTurn } from './greedy-turns.ts'
import { shareReads } from './shared-reads.ts'

/** RFC 9112 §2.1 */
const END_OF_HEAD = '\r\n\r\n'
/** Bytes given to the parser at once: the most that is parsed past a limit. */
const SLICE_BYTES = 1_024
/** How many small pieces of bodies are parsed for one client in its turn: some 1 ms. */
const TURN_PIECES = 1_024
/** How many are before it first has to wait for a turn. */
const FREE_PIECES = 256
/** What node reads at once; when it is that much there is more, and libuv would read on up to 32 times before it looks at another socket. */
const WHOLE_READ_BYTES = 65_536
/** As many small pieces as such a read is as much work as. */
const WHOLE_READ_PIECES = 128

/** Whom a socket is read for. */
export interface Taker {
  /** Whether nothing more is taken for now; `proceed` is called when that has changed. */
  readonly isFull: boolean
  /** Bytes that are sure to come in one piece, whatever they are: what is left of a body whose length was announced. */
  readonly bodyBytes: number
}

/**
 * How a socket of node's HTTP server is read: by slices, as many as are taken at once, and of a client who sends much, or in too small pieces, as many
 * as others can wait for. Left alone, the server's parser would read it past its stream, 64 KB at a time, and could not be stopped within a read: 10 000 pieces.
 */
export class PacedReading {
  readonly #socket: Socket
  readonly #taker: Taker
  /** What the server had listening. */
  readonly #toParser: ((bytes: Buffer) => unknown) | undefined
  /** How many it may still send in this turn. */
  #pieces = FREE_PIECES
  #turnIsOver = false
  #isStopped = false
  #drops = false

  constructor(socket: Socket, taker: Taker) {
    this.#socket = socket
    this.#taker = taker
    const [toParser] = socket.listeners('data')
    if (!toParser) return
    this.#toParser = (bytes) => Reflect.apply(toParser, socket, [bytes])
    socket.off('data', toParser as () => void)
    // as soon as somebody listens, node's server parses what the stream gives and no longer the socket's own reads
    socket.on('data', (bytes: Buffer) => {
      const parsed = this.#parse(bytes)
      if (parsed < bytes.length) this.#keep(bytes.subarray(parsed))
    })
    shareReads(socket, (bytes) => {
      const parsed = this.#parse(bytes)
      if (parsed < bytes.length) this.#keep(Buffer.from(bytes.subarray(parsed)))
    })
  }

  /** True while it isn't read since others have to be answered first. */
  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Whether node's server has paused the socket since answers queue up; its parser takes nothing then, and fails the process when it is given something. */
  get #answersQueue(): boolean {
    return Reflect.get(this.#socket, '_paused') === true
  }

  /** False too while the server has paused the socket for a body that nobody reads. */
  get #mayParse(): boolean {
    return !this.#isStopped && !this.#socket.isPaused() && !this.#answersQueue
  }

  /** Reads no further until `proceed`. */
  stop(): void {
    this.#isStopped = true
    this.#socket.pause()
  }

  /** Reads on, unless it is full still; whether it does. */
  proceed(): boolean {
    if (!this.#isStopped || this.#turnIsOver || this.#taker.isFull) return false
    this.#isStopped = false
    // node resumes it itself when its answers have left
    if (!this.#answersQueue) this.#socket.resume()
    return true
  }

  /** Throws away what comes from now on, unparsed: closing on bytes that arrive would reset the connection, and the last answer with it. */
  drop(): void {
    this.#drops = true
    this.#socket.resume()
  }

  /** Counts what was parsed, in small pieces of bodies; after so many it is other clients' turn. */
  passed(pieces: number): void {
    this.#pieces -= pieces
    if (this.#pieces > 0 || this.#turnIsOver || this.#drops) return
    this.#turnIsOver = true
    this.stop()
    inGreedyTurn(() => {
      this.#pieces = TURN_PIECES
      this.#turnIsOver = false
      return !this.#socket.destroyed && this.proceed()
    })
  }

  /** What is parsed at once of `bytes`: a head by itself, so that the body behind it comes in one piece, which nobody has to put together. */
  #sliceOf(bytes: Buffer): Buffer {
    if (bytes.length <= SLICE_BYTES) return bytes
    const { bodyBytes } = this.#taker
    if (bodyBytes > 0) return bytes.subarray(0, bodyBytes)
    const slice = bytes.subarray(0, SLICE_BYTES)
    const end = slice.indexOf(END_OF_HEAD)
    return end < 0 ? slice : slice.subarray(0, end + END_OF_HEAD.length)
  }

  /** Parses what may be now. @returns how many bytes are done with */
  #parse(bytes: Buffer): number {
    let at = 0
    while (at < bytes.length && !this.#drops && this.#mayParse) {
      if (this.#taker.isFull) {
        this.stop()
        break
      }
      const slice = this.#sliceOf(at === 0 ? bytes : bytes.subarray(at))
      this.#toParser?.(slice)
      at += slice.length
    }
    if (at === bytes.length && at >= WHOLE_READ_BYTES) this.passed(WHOLE_READ_PIECES)
    return this.#drops ? bytes.length : at
  }

  /** Puts back what comes before all else when it is read on. */
  #keep(rest: Buffer): void {
    if (this.#socket.destroyed) return
    // whoever reads a body has the server resume the socket, though it be stopped here
    if (this.#isStopped || this.#answersQueue) this.#socket.pause()
    this.#socket.unshift(rest)
  }
}
