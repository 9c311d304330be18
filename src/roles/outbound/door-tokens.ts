import { decodeJwt } from 'jose'
import type { Clock } from '../../drivers/clock.ts'
import { LruMap } from '../../drivers/lru-map.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import type { Identity } from '../../kit/auth/identity.ts'
import { AppError } from '../../kit/errors.ts'
import { findBearerToken } from '../../kit/middleware/auth.ts'
import { type Door, nameOf } from './config.ts'

/** Seconds that a token holds which a call brings to its upstream: long enough for one call, and what it waits for. */
const LIFE_S = 300
/** Share of its life after which another one is made. */
const RENEW_AFTER = 0.8
/** Tokens kept: two for each door that there can be, as replicas read their file at different times. */
const KEPT = 10_000

/** What doors tell callers' tokens by. */
export interface DoorTokensOptions {
  readonly authority: Pick<Authority, 'mode' | 'recall' | 'verify' | 'mint'>
  /** The name that the doors' role goes by: what tokens for doors are for. */
  readonly audience: string
  readonly clock: Pick<Clock, 'now'>
}

/** A token in place of the one that a call came with. */
interface Exchanged {
  readonly token: string
  /** Wall-clock milliseconds. */
  readonly renewAt: number
}

/**
 * Exchanges the token by which a service comes to its own door for one that is good for whom the door leads to, and for nobody else (as RFC 8693 has it, with the
 * scopes that it brought): else whoever is called could call all the others in its name. Everything else that a call brings as its
 * authorization goes through as it came: a person's token, one for the upstream itself, whatever two services agree on.
 */
export class DoorTokens {
  readonly #options: DoorTokensOptions
  readonly #kept = new LruMap<string, Exchanged>(KEPT)

  constructor(options: DoorTokensOptions) {
    this.#options = options
  }

  /** The token to send in place of what a call came with; undefined when that goes through as it came. Asked after `prepare`. */
  inPlaceOf(authorization: string | undefined, door: Door): string | undefined {
    if (authorization === undefined || this.#options.authority.mode !== 'token') return undefined
    return this.#kept.get(keyOf(authorization, door))?.token
  }

  /**
   * Makes the token that `inPlaceOf` gives; undefined where there is nothing to wait for. Rejects with what `Authority.mint` rejects with.
   */
  prepare(authorization: string | undefined, door: Door): Promise<void> | undefined {
    const { authority, audience, clock } = this.#options
    if (authority.mode !== 'token' || authorization === undefined) return undefined
    const kept = this.#kept.get(keyOf(authorization, door))
    if (kept && clock.now() < kept.renewAt) return undefined
    const token = findBearerToken(authorization)
    if (token === undefined || !isFor(token, door.caller, audience)) return undefined
    return this.#exchange(token, authorization, door)
  }

  async #exchange(token: string, authorization: string, door: Door): Promise<void> {
    const { authority, audience, clock } = this.#options
    const { caller, upstream } = door
    const identity = authority.recall(token, audience) ?? (await authority.verify(token, audience).catch(nobody))
    if (identity?.is !== 'service' || identity.subject !== caller || identity.passesOn) {
      // it was true once, and has ended or been revoked
      this.#kept.delete(keyOf(authorization, door))
      return
    }
    const renewAt = clock.now() + LIFE_S * 1_000 * RENEW_AFTER
    const wanted = {
      subject: caller,
      audience: upstream,
      scopes: [...identity.scopes],
      service: true,
      ttlSeconds: LIFE_S,
    }
    this.#kept.set(keyOf(authorization, door), { token: await authority.mint(wanted), renewAt })
  }
}

const keyOf = (authorization: string, door: Door): string => `${nameOf(door)} ${authorization}`

/** One that isn't true goes on to whom it is shown, who says so. */
function nobody(fault: unknown): Identity | undefined {
  if (fault instanceof AppError && fault.code === 'UNAUTHENTICATED') return undefined
  throw fault
}

/** Whether a token says that it is this: to check the rest of what comes by would cost each call a signature. */
function isFor(token: string, subject: string, audience: string): boolean {
  try {
    const { sub, aud } = decodeJwt(token)
    return sub === subject && [aud].flat().includes(audience)
  } catch {
    return false
  }
}
