import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import type { Authority } from './authority.ts'
import { KeySet, type KeySetOptions } from './key-set.ts'
import { createVerifier } from './token-verifier.ts'

/** Who is believed, and what this service shows. */
export interface RemoteAuthorityOptions {
  /** The platform's `iss`. */
  readonly issuer: string
  readonly clock: Clock
  /** Asks for the platform's key set (`/.well-known/jwks.json` of its gateway), as parsed JSON. */
  readonly askKeys: KeySetOptions['ask']
  /** This service's own token for the platform's roles. */
  readonly ownToken: () => Promise<string>
}

/**
 * The authority of a service outside of the platform, in token mode: it checks tokens by the keys that the gateway publishes, and shows the one
 * that it was given. It has no key of its own, so that what mints rejects with AppError `NOT_IMPLEMENTED`.
 * @example
 * const authority = createRemoteAuthority({ issuer: 'msvc', clock: systemClock, askKeys, ownToken: async () => (await file.token()).text })
 */
export function createRemoteAuthority({ issuer, clock, askKeys, ownToken }: RemoteAuthorityOptions): Authority {
  const keys = new KeySet({ ask: askKeys, clock })
  const { claimsOf: _, ...verifier } = createVerifier({
    issuer,
    clock,
    keyOf: (kid) => keys.keyOf(kid),
    isBelieved: (key) => keys.has(key),
    unknownKey: 'it has to come from the platform that this service belongs to',
  })
  return {
    mode: 'token',
    issuer,
    ...verifier,
    check: () => keys.check(),
    serviceToken: ownToken,
    mint: refuse,
    renew: refuse,
    referenceOf: refuse,
    publicKeys: refuse,
  }
}

async function refuse(): Promise<never> {
  throw new AppError('NOT_IMPLEMENTED', 'Only the platform, which has the keys, makes and revokes tokens')
}
