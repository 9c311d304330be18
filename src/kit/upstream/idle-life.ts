/**
 * What an upstream has shown of how long it leaves an idle connection open. Nobody can know that a connection isn't being closed this very
 * moment (RFC 9112 §9.5), so what may be sent only once goes on an idle one that is far from the age at which others were closed, and no older
 * than others were seen to become. What it announces (`Keep-Alive`) bounds the age too, but proves nothing: a proxy between may be shorter.
 */
export class IdleLife {
  #kept = 0
  #shortest = Number.POSITIVE_INFINITY
  #shortestBefore = Number.POSITIVE_INFINITY
  #windowEnd = 0

  /** The other side closed a connection that had been idle for `idleMs`. @param now monotonic milliseconds */
  closedAfter(idleMs: number, now: number): void {
    this.#turn(now)
    this.#shortest = Math.min(this.#shortest, idleMs)
    this.#kept = Math.min(this.#kept, idleMs)
  }

  /** A connection has been idle for `idleMs` and is open. */
  keptFor(idleMs: number): void {
    this.#kept = Math.max(this.#kept, idleMs)
  }

  /** Another server may listen there from now on. */
  forget(): void {
    this.#kept = 0
    this.#shortest = Number.POSITIVE_INFINITY
    this.#shortestBefore = Number.POSITIVE_INFINITY
  }

  /** Whether a connection that has been idle for `idleMs` is surely not being closed. @param now monotonic milliseconds */
  outlasts(idleMs: number, now: number): boolean {
    return idleMs < Math.min(this.#kept, this.#shortestAt(now)) / 2 - LAG_MS
  }

  /** Whether even a connection whose response was read this moment may be about to be closed. @param now monotonic milliseconds */
  closesAtOnce(now: number): boolean {
    return this.#shortestAt(now) / 2 <= LAG_MS
  }

  #shortestAt(now: number): number {
    this.#turn(now)
    return Math.min(this.#shortest, this.#shortestBefore)
  }

  /** A closing is remembered for one window to two: it may have been that of a server that stopped, and says nothing of the next one's. */
  #turn(now: number): void {
    if (now < this.#windowEnd) return
    this.#shortestBefore = now < this.#windowEnd + WINDOW_MS ? this.#shortest : Number.POSITIVE_INFINITY
    this.#shortest = Number.POSITIVE_INFINITY
    this.#windowEnd = now + WINDOW_MS
  }
}

/** Milliseconds for which a busy event loop, here or there, may see a response, a request or a closing too late. */
const LAG_MS = 50
/** Milliseconds. */
const WINDOW_MS = 10_000
