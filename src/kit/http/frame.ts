/** Most bytes handed to a connection at a time: what a reader that stands still may hold besides its queue. Its writing out is shared. */
export const PIECE_BYTES = 65_536

/** An event written out. Queued at any number of readers, its bytes are there once. */
export class Frame {
  /**
   * Its bytes, at most `PIECE_BYTES` in each. Where there are several, each is in memory of its own: one that is still on its way to a
   * slow reader keeps none of the others.
   */
  readonly pieces: readonly Uint8Array[]
  readonly size: number
  /** Queues it waits in. */
  holders = 0

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces
    this.size = pieces.reduce((size, { length }) => size + length, 0)
  }
}

const utf8 = new TextEncoder()

/** Gathers texts into a frame. */
export class FrameWriter {
  readonly #pieces: Uint8Array[] = []
  #piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
  #used = 0

  write(text: string): void {
    for (let rest = text; rest !== ''; ) {
      const { read, written } = utf8.encodeInto(rest, this.#piece.subarray(this.#used))
      this.#used += written
      rest = rest.slice(read)
      if (rest !== '') this.#nextPiece()
    }
  }

  /** What was written. */
  end(): Frame {
    this.#nextPiece()
    return new Frame(this.#pieces)
  }

  #nextPiece(): void {
    // a view would keep all of it
    this.#pieces.push(this.#used < PIECE_BYTES ? Buffer.from(this.#piece.subarray(0, this.#used)) : this.#piece)
    this.#piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
    this.#used = 0
  }
}
