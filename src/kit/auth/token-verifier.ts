import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose'
import * as z from 'zod'
import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import type { Authority } from './authority.ts'
import type { Identity } from './identity.ts'
import { ALGORITHMS, type VerifyingKey } from './key-files.ts'
import { TokenCache } from './token-cache.ts'
import { headerFault, isCompact, MAX_TOKEN_LENGTH, repeatsAName, SCOPE } from './token-form.ts'

/** Seconds by which clocks of two machines may differ. */
export const SKEW_SECONDS = 30
/** Longest life of a token, minted or accepted: a stolen one is worth a day at most. */
export const MAX_TTL_SECONDS = 86_400
/** Verified tokens kept per audience. */
const KEPT_TOKENS = 10_000

/** Whose tokens are believed, and by which keys. */
export interface VerifierOptions {
  /** The `iss` of tokens accepted, such as `msvc`. */
  readonly issuer: string
  readonly clock: Clock
  /** The key of a `kid`, to the letter; undefined where there is none. What it rejects with, whoever shows the token hears. */
  readonly keyOf: (kid: string) => Promise<VerifyingKey | undefined>
  /** Whether a key that `keyOf` gave is still to be believed without asking it again. */
  readonly isBelieved: (key: VerifyingKey) => boolean
  /** What to do about a token signed by a key that is not known, for the problem document's detail. */
  readonly unknownKey: string
}

const Claims = z.object({
  sub: z.string().min(1).max(256),
  aud: z.union([z.string().transform((name) => [name]), z.array(z.string())]),
  exp: z.number(),
  iat: z.number().optional(),
  jti: z.string().max(256).optional(),
  /** RFC 8693 §4.2: names separated by single spaces. What is no name allows nothing. */
  scope: z
    .string()
    .default('')
    .transform((text) => text.split(' ').filter((name) => SCOPE.test(name))),
  service: z.boolean().default(false),
  passes_on: z.boolean().default(false),
})
/** What a token says. */
export type Claims = z.output<typeof Claims>

/** Checks tokens, whoever keeps the keys. */
export interface TokenVerifier extends Pick<Authority, 'verify' | 'recall' | 'heed'> {
  /** What a token says, once it is known to be true, for `audience` and in its time. Throws AppError `UNAUTHENTICATED`. */
  claimsOf(token: string, audience: string): Promise<Claims>
}

/**
 * Makes what checks the platform's JWTs, and remembers those that it found to be true (RFC 7519, RFC 8725): algorithms pinned by the key and not
 * by the header, `typ` JWT or at+jwt where there is one, iss, aud, sub and exp required, exp at most a day ahead, 30 s of skew, 4 KB at
 * most, `kid` looked up to the letter, `jku`, `x5u`, `x5c` and `jwk` ignored, every `crit` refused.
 * @example
 * const verifier = createVerifier({ issuer: 'msvc', clock: systemClock, keyOf: async (kid) => keys.get(kid), isBelieved: () => true, unknownKey: 'ask for another' })
 * const { subject } = await verifier.verify(token, 'order-service')
 */
export function createVerifier({ issuer, clock, keyOf, isBelieved, unknownKey }: VerifierOptions): TokenVerifier {
  const verified = new Map<string, TokenCache>()
  let isRevoked = (_id: string) => false

  function cacheFor(audience: string): TokenCache {
    let cache = verified.get(audience)
    if (!cache) {
      cache = new TokenCache(KEPT_TOKENS, { isBelieved, isRevoked: (id) => isRevoked(id) })
      verified.set(audience, cache)
    }
    return cache
  }

  /** The key that the header names: it, and the algorithm it was made for, are all that the header may choose. */
  async function keyFor(header: JWTHeaderParameters): Promise<VerifyingKey> {
    const fault = headerFault(header)
    if (fault !== undefined) throw refused(fault)
    const known = typeof header.kid === 'string' ? await keyOf(header.kid) : undefined
    if (!known) throw refused('it is signed by a key that is not known here', undefined, unknownKey)
    if (header.alg !== known.algorithm) throw refused('it is signed with an algorithm that is not accepted')
    return known
  }

  async function checked(token: string, audience: string): Promise<Checked> {
    const now = clock.now()
    const read = await readClaims(token, keyFor, {
      issuer,
      audience,
      algorithms: [...ALGORITHMS],
      requiredClaims: ['exp', 'sub'],
      clockTolerance: SKEW_SECONDS,
      currentDate: new Date(now),
    })
    const { claims } = read
    if ((claims.iat ?? 0) > now / 1000 + SKEW_SECONDS) throw refused('it was issued in the future')
    if (claims.jti !== undefined && isRevoked(claims.jti)) throw refused('it was revoked')
    if (claims.exp > now / 1000 + MAX_TTL_SECONDS + SKEW_SECONDS) throw refused('it expires more than a day ahead')
    return read
  }

  async function verifyFresh(token: string, audience: string): Promise<Identity> {
    const { claims, key } = await checked(token, audience)
    const { sub, exp, jti: id, scope, service, passes_on: passesOn } = claims
    const identity: Identity = Object.freeze({
      is: service ? 'service' : 'user',
      subject: sub,
      scopes: new Set(scope),
      ...(service && passesOn && { passesOn }),
    })
    cacheFor(audience).set(token, { identity, until: (exp + SKEW_SECONDS) * 1000, key, id })
    return identity
  }

  function recall(token: string, audience: string): Identity | undefined {
    return verified.get(audience)?.get(token, clock.now())
  }

  async function verify(token: string, audience: string): Promise<Identity> {
    return recall(token, audience) ?? verifyFresh(token, audience)
  }

  return {
    claimsOf: async (token, audience) => (await checked(token, audience)).claims,
    verify,
    recall,
    heed(revoked) {
      isRevoked = revoked
    },
  }
}

interface Checked {
  readonly claims: Claims
  /** What it was signed with. */
  readonly key: VerifyingKey
}

type VerifyOptions = NonNullable<Parameters<typeof jwtVerify>[2]>

async function readClaims(
  token: string,
  keyFor: (header: JWTHeaderParameters) => Promise<VerifyingKey>,
  options: VerifyOptions,
): Promise<Checked> {
  if (token.length > MAX_TOKEN_LENGTH) throw refused(`it is longer than ${MAX_TOKEN_LENGTH} bytes`)
  if (!isCompact(token)) throw refused('it is not three parts of base64url without padding')
  let payload: JWTPayload
  let key: VerifyingKey | undefined
  const keyOf = async (header: JWTHeaderParameters) => {
    key = await keyFor(header)
    return key.key
  }
  try {
    payload = (await jwtVerify(token, keyOf, options)).payload
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw refused(reasonOf(cause), cause)
  }
  if (repeatsAName(token)) throw refused('it says something twice')
  const claims = Claims.safeParse(payload)
  if (!claims.success || !key) throw refused('its claims are malformed')
  return { claims: claims.data, key }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof errors.JWTExpired) return 'it has expired'
  if (cause instanceof errors.JWTClaimValidationFailed) {
    if (cause.claim === 'nbf' && cause.reason === 'check_failed') return 'it is not valid yet'
    return cause.reason === 'missing' ? `it has no ${cause.claim}` : `its ${cause.claim} is not the one expected here`
  }
  if (cause instanceof errors.JOSEAlgNotAllowed) return 'it is signed with an algorithm that is not accepted'
  if (cause instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong'
  return 'it is malformed'
}

/**
 * The AppError for a token that is not taken.
 * @param reason goes on after "The token was refused:" and is told the caller (RFC 6750 §3)
 * @param cure what to do, for the problem document's detail
 */
export function refused(reason: string, cause?: unknown, cure?: string): AppError {
  const headers = { 'www-authenticate': `Bearer error="invalid_token", error_description="${reason}"` }
  const message = `The token was refused: ${reason}`
  return new AppError('UNAUTHENTICATED', message, { cause, headers, ...(cure && { detail: `${message}; ${cure}` }) })
}
