import type { Identity } from './identity.ts'

interface Verified {
  readonly identity: Identity
  /** Wall-clock milliseconds until which the token is good, skew included. */
  readonly until: number
}

/**
 * Tokens that were verified, so that a token's second use costs a look-up instead of a signature check. Bounded: the least
 * recently used goes first. One per audience, since a token is good for the audiences it names only.
 */
export class TokenCache {
  readonly #limit: number
  readonly #tokens = new Map<string, Verified>()

  /** @param limit most tokens kept */
  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#tokens.size
  }

  /** Who the token speaks for; undefined when it wasn't verified lately, or is good no longer at `now` (wall-clock milliseconds). */
  get(token: string, now: number): Identity | undefined {
    const kept = this.#tokens.get(token)
    if (!kept) return undefined
    this.#tokens.delete(token)
    if (now >= kept.until) return undefined
    this.#tokens.set(token, kept)
    return kept.identity
  }

  set(token: string, identity: Identity, until: number): void {
    this.#tokens.delete(token)
    if (this.#tokens.size >= this.#limit) {
      const oldest = this.#tokens.keys().next()
      if (!oldest.done) this.#tokens.delete(oldest.value)
    }
    this.#tokens.set(token, { identity, until })
  }
}
