/** Size of the first block, and of the largest: the most that a body costs beyond its bytes. */
const FIRST_BYTES = 1_024
const LARGEST_BYTES = 65_536

/**
 * Gathers bytes that come in pieces. They are copied into blocks that grow with what came, so that memory follows the bytes and not the
 * pieces: a piece of one byte costs some 280 bytes as a Buffer of its own. Bytes that come in one piece are not copied.
 */
export class ByteBlocks {
  /** The first piece, until there is a second one. */
  #only: Uint8Array | undefined
  readonly #full: Uint8Array[] = []
  #block: Uint8Array | undefined
  #used = 0
  #size = 0

  /** Bytes gathered. */
  get size(): number {
    return this.#size
  }

  /** Adds a piece; it must not change until a second one has come. */
  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    if (this.#size === 0) this.#only = piece
    else {
      if (this.#only) this.#copy(this.#only)
      this.#only = undefined
      this.#copy(piece)
    }
    this.#size += piece.length
  }

  /** All that was gathered, in one; it begins anew. */
  take(): Buffer {
    const whole = this.#whole()
    this.#only = undefined
    this.#full.length = 0
    this.#block = undefined
    this.#used = 0
    this.#size = 0
    return whole
  }

  #whole(): Buffer {
    if (this.#only) return asBuffer(this.#only)
    const last = this.#block?.subarray(0, this.#used)
    if (this.#full.length === 0) return last ? asBuffer(last) : Buffer.alloc(0)
    return Buffer.concat(last ? [...this.#full, last] : this.#full, this.#size)
  }

  #copy(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      const block = this.#roomy(piece.length - at)
      const count = Math.min(piece.length - at, block.length - this.#used)
      block.set(count === piece.length ? piece : piece.subarray(at, at + count), this.#used)
      this.#used += count
      at += count
    }
  }

  /** The block under way, or one as large as what there is so far, or as what is to come. */
  #roomy(toCome: number): Uint8Array {
    if (this.#block && this.#used < this.#block.length) return this.#block
    if (this.#block) this.#full.push(this.#block)
    this.#block = Buffer.allocUnsafeSlow(Math.min(LARGEST_BYTES, Math.max(FIRST_BYTES, this.#size, toCome)))
    this.#used = 0
    return this.#block
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
