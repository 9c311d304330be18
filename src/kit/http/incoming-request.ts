import { IncomingMessage } from 'node:http'
import { announcedLength } from './body.ts'
import { ByteBlocks } from './byte-blocks.ts'

/** Bytes under which a piece of a body is copied together with its neighbours instead of being kept. */
const SMALL_BYTES = 1_024
/** How many bytes are gathered before they are passed on though nobody reads. */
const GATHERED_BYTES = 16_384
/** How many small pieces pass between two looks at whether there are too many. */
const PIECES_A_LOOK = 64

/** Whoever judges in how many pieces a body comes. */
export interface PieceCounter {
  /** Told now and then: of `count` small pieces more, of `pieces` and the bytes in them so far. */
  passed(count: number, pieces: number, bytes: number): void
}

/**
 * A request whose body is read in few large pieces however many small ones it is sent in: each of a chunked body's pieces would be a Buffer and
 * an event of its own. Small ones are gathered until the end of the turn, or until somebody reads. Too many end the request.
 */
export class IncomingRequest extends IncomingMessage {
  #gathered: ByteBlocks | undefined
  /** Small ones, and the bytes in them. */
  #pieces = 0
  #bytes = 0
  #received = 0
  #passesOn = false
  #begin: (() => void) | undefined
  #whole: (() => void) | undefined
  /** Undefined until a connection takes it: before that none of its body comes. */
  counter: PieceCounter | undefined

  /** What is left of a body whose length was announced. */
  get bytesToCome(): number {
    return Math.max(0, (announcedLength(this) ?? 0) - this.#received)
  }

  /** Calls back, once, when somebody begins to read the body. */
  whenRead(begin: () => void): void {
    this.#begin = begin
  }

  /** Calls back, once, when all of it has come, its body included; at once where it has. */
  whenWhole(then: () => void): void {
    if (this.complete) then()
    else this.#whole = then
  }

  override _read(size: number): void {
    const begin = this.#begin
    this.#begin = undefined
    begin?.()
    super._read(size)
  }

  override push(chunk: Buffer | null): boolean {
    if (chunk === null) {
      this.#passOn()
      this.#whole?.()
      return super.push(null)
    }
    this.#received += chunk.length
    if (chunk.length >= SMALL_BYTES) {
      this.#passOn()
      return super.push(chunk)
    }
    this.#bytes += chunk.length
    // most bodies come in one piece
    if (++this.#pieces === 1) return super.push(chunk)
    if (this.#pieces % PIECES_A_LOOK === 0) this.counter?.passed(PIECES_A_LOOK, this.#pieces, this.#bytes)
    return this.#gather(chunk)
  }

  override read(size?: number): unknown {
    if (size !== 0) this.#passOn()
    return super.read(size)
  }

  #gather(chunk: Buffer): boolean {
    this.#gathered ??= new ByteBlocks()
    this.#gathered.push(chunk)
    if (this.#gathered.size >= GATHERED_BYTES) return super.push(this.#gathered.take())
    if (!this.#passesOn) {
      this.#passesOn = true
      setImmediate(passOnToWaiting, this)
    }
    return true
  }

  /** For a reader that waits: one who is behind reads it later, with what comes until then. */
  passOnToWaiting(): void {
    this.#passesOn = false
    if (this.readableLength === 0) this.#passOn()
  }

  #passOn(): void {
    if (this.#gathered && this.#gathered.size > 0) super.push(this.#gathered.take())
  }
}

function passOnToWaiting(request: IncomingRequest): void {
  request.passOnToWaiting()
}
