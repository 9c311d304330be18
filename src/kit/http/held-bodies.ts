import { AppError } from '../errors.ts'

/** Bodies up to this size needn't be opened, and aren't counted: the connections that carry them are. */
export const UNCOUNTED_BYTES = 4_096

/**
 * What the bodies that a role has in memory may take together, from their first bytes until they are answered. When it is more, the one that has
 * been standing still for longest is given up: who sends at his usual pace gets through beside others who have sent half of theirs.
 */
export class HeldBodies {
  readonly #most: number
  #bytes = 0
  /** Those still coming, the one that grew last at the end. */
  readonly #coming = new Set<HeldBody>()

  /** @param most bytes */
  constructor(most: number) {
    this.#most = most
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#bytes
  }

  /** Counts a new body. @param giveUp told that it must be let go, and why (`UNAVAILABLE`); it is closed by then */
  open(giveUp: (fault: AppError) => void): HeldBody {
    return new HeldBody(this, giveUp)
  }

  /** For `HeldBody`: bytes have come, for which others may have to go; or the body itself when there is no other. */
  grew(body: HeldBody, bytes: number): void {
    this.#bytes += bytes
    this.#coming.delete(body)
    this.#coming.add(body)
    while (this.#bytes > this.#most) {
      const [slowest] = this.#coming
      if (!slowest) return
      slowest.giveUp()
    }
  }

  /** For `HeldBody`: no more of it comes. */
  arrived(body: HeldBody): void {
    this.#coming.delete(body)
  }

  /** For `HeldBody`: so many bytes are held no more. */
  released(bytes: number): void {
    this.#bytes -= bytes
  }
}

/** One body that is being gathered, or worked on. */
export class HeldBody {
  readonly #all: HeldBodies
  readonly #giveUp: (fault: AppError) => void
  #counted = 0
  #isClosed = false

  constructor(all: HeldBodies, giveUp: (fault: AppError) => void) {
    this.#all = all
    this.#giveUp = giveUp
  }

  /** More of it has come. @param size bytes so far */
  grow(size: number): void {
    if (this.#isClosed || size <= UNCOUNTED_BYTES) return
    const more = size - this.#counted
    this.#counted = size
    this.#all.grew(this, more)
  }

  /** All of it is here: it is worked on, and not given up any more. */
  arrive(): void {
    this.#all.arrived(this)
  }

  giveUp(): void {
    this.close()
    const detail = 'Send it again a little later, and all of it at once'
    this.#giveUp(new AppError('UNAVAILABLE', 'Too many large bodies are under way', { detail }))
  }

  /** It is held no more. Twice is as good as once. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#all.arrived(this)
    this.#all.released(this.#counted)
  }
}
