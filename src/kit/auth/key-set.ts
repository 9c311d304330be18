import * as z from 'zod'
import type { Clock } from '../../drivers/clock.ts'
import { AppError, messageOf } from '../errors.ts'
import { ALGORITHMS, KeyFile, toVerifyingKey, type VerifyingKey } from './key-files.ts'

/** Where a gateway has the keys that the platform's tokens are checked with (RFC 8615, RFC 7517). */
export const JWKS_PATH = '/.well-known/jwks.json'
/** How long a key set is good without asking again, milliseconds. */
const FRESH_MS = 600_000
/** From which age it is asked for ahead, so that nobody has to wait for it, milliseconds. */
const EARLY_MS = 300_000
/** The same while whoever has it is away. */
const AGAIN_MS = 30_000
/** Shortest time between two questions, milliseconds: who shows tokens of made-up keys must not have the gateway asked for each. */
const COOLDOWN_MS = 5_000
/** Most keys of a set that are looked at. */
const MAX_KEYS = 64

/** A JWK Set (RFC 7517 §5). Keys of other kinds or algorithms may be among them. */
const Jwks = z.object({ keys: z.array(z.unknown()).max(MAX_KEYS) })

/** Where a key set is, and when it is asked for. */
export interface KeySetOptions {
  /** Asks for the set, as parsed JSON; its rejection says why there is none. */
  readonly ask: () => Promise<unknown>
  readonly clock: Pick<Clock, 'monotonic'>
}

interface KnownKey {
  readonly key: VerifyingKey
  /** As it stood in the set: the same text is the same key. */
  readonly text: string
}

/**
 * The keys of a platform that runs elsewhere, as its gateway publishes them. Asked for on first use, then every 5 minutes while they are used, before
 * one of more than 10 minutes is used, and when a token names one that isn't known, since keys change. The last set stays good while the gateway is away.
 */
export class KeySet {
  readonly #ask: () => Promise<unknown>
  readonly #clock: Pick<Clock, 'monotonic'>
  #keys: ReadonlyMap<string, KnownKey> = new Map()
  #askedAt = Number.NEGATIVE_INFINITY
  #fault: unknown
  #asking: Promise<void> | undefined

  constructor({ ask, clock }: KeySetOptions) {
    this.#ask = ask
    this.#clock = clock
  }

  /** The key of a `kid`, to the letter; undefined where there is none. Rejects with AppError `UNAVAILABLE` while that can't be known. */
  async keyOf(kid: string): Promise<VerifyingKey | undefined> {
    if (this.#keys.has(kid)) {
      if (this.#isStale) await this.#refresh()
      else this.#askAhead()
    }
    const known = this.#keys.get(kid)
    if (known) return known.key
    if (this.#asking || this.#age > COOLDOWN_MS) await this.#refresh()
    const found = this.#keys.get(kid)?.key
    if (found || this.#fault === undefined) return found
    const why = messageOf(this.#fault)
    throw new AppError('UNAVAILABLE', `The platform's keys can't be read: ${why}`, { cause: this.#fault })
  }

  /** Whether a key is in the set still, as far as that is known without asking; false where `keyOf` has to be asked. */
  has(key: VerifyingKey): boolean {
    if (this.#isStale) return false
    this.#askAhead()
    return this.#keys.get(key.kid)?.key === key
  }

  /** Resolves when there are keys to check tokens with. Rejects with AppError `UNAVAILABLE` that says why there are none; asks as `keyOf` does. */
  async check(): Promise<void> {
    if (this.#keys.size > 0) return
    if (this.#asking || this.#age > COOLDOWN_MS) await this.#refresh()
    if (this.#keys.size > 0) return
    const why =
      this.#fault === undefined ? `there is none of ${ALGORITHMS.join(', ')} in the set` : messageOf(this.#fault)
    throw new AppError('UNAVAILABLE', `The platform's keys can't be read: ${why}`, { cause: this.#fault })
  }

  /** Since it was asked for last, milliseconds. */
  get #age(): number {
    return this.#clock.monotonic() - this.#askedAt
  }

  get #isStale(): boolean {
    return this.#age > FRESH_MS
  }

  #askAhead(): void {
    if (this.#age > (this.#fault === undefined ? EARLY_MS : AGAIN_MS)) void this.#refresh()
  }

  #refresh(): Promise<void> {
    this.#asking ??= this.#read().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #read(): Promise<void> {
    this.#askedAt = this.#clock.monotonic()
    try {
      this.#keys = await keysIn(await this.#ask(), this.#keys)
      this.#fault = undefined
    } catch (fault) {
      this.#fault = fault
    }
  }
}

/** @param before those known so far: what is unchanged stays the same object */
async function keysIn(answer: unknown, before: ReadonlyMap<string, KnownKey>): Promise<ReadonlyMap<string, KnownKey>> {
  const set = Jwks.safeParse(answer)
  if (!set.success) throw new AppError('UPSTREAM_FAILED', 'what was answered is no JWK set')
  const keys = new Map<string, KnownKey>()
  for (const jwk of set.data.keys) {
    const fit = KeyFile.safeParse(jwk)
    if (!fit.success || keys.has(fit.data.kid)) continue
    const { kid } = fit.data
    const text = JSON.stringify(jwk)
    const same = before.get(kid)
    // one that can't be used is no reason to believe none
    const key = same?.text === text ? same.key : await toVerifyingKey(fit.data, 'the key set').catch(() => undefined)
    if (key) keys.set(kid, { key, text })
  }
  return keys
}
