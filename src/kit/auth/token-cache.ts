import { LruMap } from '../../drivers/lru-map.ts'
import type { Identity } from './identity.ts'

interface Verified {
  readonly identity: Identity
  /** Wall-clock milliseconds until which the token is good, skew included. */
  readonly until: number
  /** Its `jti`. */
  readonly id: string | undefined
}

/**
 * Tokens that were verified, so that a token's second use costs a look-up instead of a signature check. Bounded: the least
 * recently used goes first. One per audience, since a token is good for the audiences it names only.
 */
export class TokenCache {
  readonly #tokens: LruMap<string, Verified>

  readonly #isRevoked: (id: string) => boolean

  /**
   * @param limit most tokens kept
   * @param isRevoked whether a token counts no more, by its `jti`. Default: none is
   */
  constructor(limit: number, isRevoked: (id: string) => boolean = () => false) {
    this.#tokens = new LruMap(limit)
    this.#isRevoked = isRevoked
  }

  /** How many tokens are kept. */
  get size(): number {
    return this.#tokens.size
  }

  /** Who the token speaks for; undefined when it wasn't verified lately, was revoked, or is good no longer at `now` (wall-clock milliseconds). */
  get(token: string, now: number): Identity | undefined {
    const kept = this.#tokens.get(token)
    if (kept && now < kept.until && !(kept.id !== undefined && this.#isRevoked(kept.id))) return kept.identity
    this.#tokens.delete(token)
    return undefined
  }

  /** Keeps whom a verified token speaks for, until a wall-clock time in milliseconds. @param id its `jti` */
  set(token: string, identity: Identity, until: number, id?: string): void {
    this.#tokens.set(token, { identity, until, id })
  }
}
