import { LruMap } from '../../drivers/lru-map.ts'
import type { Identity } from './identity.ts'
import type { VerifyingKey } from './key-files.ts'

/** A token that was verified. */
export interface Verified {
  readonly identity: Identity
  /** Wall-clock milliseconds until which the token is good, skew included. */
  readonly until: number
  /** The key that it was verified with. */
  readonly key: VerifyingKey
  /** Its `jti`. */
  readonly id: string | undefined
}

/** By what a token that was verified counts no more, though it is in its time. */
export interface TokenDoubts {
  /** Whether its key is still one that is believed. */
  readonly isBelieved: (key: VerifyingKey) => boolean
  /** Whether it was revoked, by its `jti`. */
  readonly isRevoked: (id: string) => boolean
}

/**
 * Tokens that were verified, so that a token's second use costs a look-up instead of a signature check. Bounded: the least
 * recently used goes first. One per audience, since a token is good for the audiences it names only.
 */
export class TokenCache {
  readonly #tokens: LruMap<string, Verified>
  readonly #doubts: TokenDoubts

  /** @param limit most tokens kept */
  constructor(limit: number, doubts: TokenDoubts) {
    this.#tokens = new LruMap(limit)
    this.#doubts = doubts
  }

  /** How many tokens are kept. */
  get size(): number {
    return this.#tokens.size
  }

  /** Who the token speaks for; undefined when it wasn't verified lately, is in doubt, or is good no longer at `now` (wall-clock milliseconds). */
  get(token: string, now: number): Identity | undefined {
    const kept = this.#tokens.get(token)
    if (kept && now < kept.until && this.#counts(kept)) return kept.identity
    this.#tokens.delete(token)
    return undefined
  }

  #counts({ key, id }: Verified): boolean {
    return this.#doubts.isBelieved(key) && !(id !== undefined && this.#doubts.isRevoked(id))
  }

  /** Keeps whom a verified token speaks for. */
  set(token: string, verified: Verified): void {
    this.#tokens.set(token, verified)
  }
}
