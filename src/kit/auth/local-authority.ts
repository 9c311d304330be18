import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import * as z from 'zod'
import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import type { AuthMode, Authority, RenewalWish, Renewed, TokenReference, TokenRequest } from './authority.ts'
import type { Identity } from './identity.ts'
import { ALGORITHMS, type KeyRing, loadKeyRing } from './key-files.ts'
import { SERVICE_SCOPES } from './scopes.ts'
import { TokenCache } from './token-cache.ts'
import { headerFault, isCompact, repeatsAName } from './token-form.ts'

/** Longest token that is looked at, in characters (base64url: one byte each). */
const MAX_TOKEN_LENGTH = 4096
/** Seconds by which clocks of two machines may differ. */
const SKEW_SECONDS = 30
/** Longest life of a token, minted or accepted: a stolen one is worth a day at most. */
const MAX_TTL_SECONDS = 86_400
const DEFAULT_TTL_SECONDS = 3_600
/** Verified tokens kept per audience. */
const KEPT_TOKENS = 10_000
/** Share of its life after which a service token is replaced. */
const RENEW_AFTER = 0.8

/** What an authority signs with, and whom it believes. */
export interface AuthorityOptions {
  readonly mode: AuthMode
  /** The `iss` of tokens minted and accepted, such as `msvc`. */
  readonly issuer: string
  /** Where the key files are; made on first use. */
  readonly folder: string
  readonly clock: Clock
  /** Scopes of service tokens besides SERVICE_SCOPES. Default none. */
  readonly calls?: readonly string[]
  /** Whether what its service does for an asker is done by tokens that say so (`Role.passesOn`). Default false. */
  readonly passesOn?: boolean
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
type Claims = z.output<typeof Claims>

interface KeptServiceToken {
  readonly token: Promise<string>
  /** Wall-clock milliseconds. */
  readonly renewAt: number
}

/**
 * Mints and checks the platform's JWTs with the keys of its own data folder (RFC 7519, RFC 8725): algorithms pinned by the key and not
 * by the header, `typ` JWT or at+jwt where there is one, iss, aud, sub and exp required, exp at most a day ahead, 30 s of skew, 4 KB at
 * most, `kid` looked up to the letter, `jku`, `x5u`, `x5c` and `jwk` ignored, every `crit` refused. Keys are read on first use, so a process that checks no token pays nothing.
 * @example
 * const authority = createAuthority({ mode: 'local', issuer: 'msvc', folder: '.msvc/keys', clock: systemClock })
 * const token = await authority.mint({ subject: 'alice', audience: 'api-gateway', scopes: ['orders:write'] })
 */
export function createAuthority(options: AuthorityOptions): Authority {
  const { mode, issuer, folder, clock, calls = [], passesOn: mayPassOn = false } = options
  const verified = new Map<string, TokenCache>()
  const serviceTokens = new Map<string, KeptServiceToken>()
  const serviceScopes = [...new Set([...SERVICE_SCOPES, ...calls])]
  let loading: Promise<KeyRing> | undefined
  let isRevoked = (_id: string) => false

  function keyRing(): Promise<KeyRing> {
    loading ??= loadKeyRing(folder).catch((fault: unknown) => {
      loading = undefined
      throw fault
    })
    return loading
  }

  function cacheFor(audience: string): TokenCache {
    let cache = verified.get(audience)
    if (!cache) {
      cache = new TokenCache(KEPT_TOKENS, (id) => isRevoked(id))
      verified.set(audience, cache)
    }
    return cache
  }

  async function mint(request: TokenRequest): Promise<string> {
    const { subject, audience, scopes, ttlSeconds = DEFAULT_TTL_SECONDS, service = false, passesOn = false } = request
    if (subject === '' || subject.length > 256) throw new AppError('USAGE', 'A subject has 1 to 256 characters')
    if (!(ttlSeconds > 0 && ttlSeconds <= MAX_TTL_SECONDS)) {
      throw new AppError('USAGE', `A token lives 1 to ${MAX_TTL_SECONDS} seconds, not ${ttlSeconds}`)
    }
    const unfit = scopes.find((scope) => !SCOPE.test(scope))
    if (unfit !== undefined) {
      throw new AppError('USAGE', `${JSON.stringify(unfit)} is no scope: it has no spaces, such as orders:write`)
    }
    const { signing } = await keyRing()
    const issuedAt = Math.floor(clock.now() / 1000)
    const token = await new SignJWT({
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
      ...(service && { service }),
      ...(passesOn && { passes_on: passesOn }),
    })
      .setProtectedHeader({ alg: signing.algorithm, kid: signing.kid, typ: 'JWT' })
      .setIssuer(issuer)
      .setSubject(subject)
      .setAudience(typeof audience === 'string' ? audience : [...audience])
      .setJti(crypto.randomUUID())
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + Math.ceil(ttlSeconds))
      .sign(signing.key)
    if (token.length <= MAX_TOKEN_LENGTH) return token
    throw new AppError(
      'USAGE',
      `With so many scopes a token is longer than the ${MAX_TOKEN_LENGTH} bytes that are taken`,
    )
  }

  /** What a token says, once it is known to be true, for `audience` and in its time. */
  async function claimsOf(token: string, audience: string): Promise<Claims> {
    const now = clock.now()
    const { verifying } = await keyRing()
    const claims = await readClaims(
      token,
      {
        issuer,
        audience,
        algorithms: [...ALGORITHMS],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(now),
      },
      verifying,
    )
    if ((claims.iat ?? 0) > now / 1000 + SKEW_SECONDS) throw refused('it was issued in the future')
    if (claims.jti !== undefined && isRevoked(claims.jti)) throw refused('it was revoked')
    if (claims.exp > now / 1000 + MAX_TTL_SECONDS + SKEW_SECONDS) throw refused('it expires more than a day ahead')
    return claims
  }

  async function verifyFresh(token: string, audience: string): Promise<Identity> {
    const { sub, exp, jti, scope, service, passes_on: passesOn } = await claimsOf(token, audience)
    const identity: Identity = Object.freeze({
      is: service ? 'service' : 'user',
      subject: sub,
      scopes: new Set(scope),
      ...(service && passesOn && { passesOn }),
    })
    cacheFor(audience).set(token, identity, (exp + SKEW_SECONDS) * 1000, jti)
    return identity
  }

  function recall(token: string, audience: string): Identity | undefined {
    return verified.get(audience)?.get(token, clock.now())
  }

  async function verify(token: string, audience: string): Promise<Identity> {
    return recall(token, audience) ?? verifyFresh(token, audience)
  }

  async function renew(token: string, audience: string, wish: RenewalWish = {}): Promise<Renewed> {
    const old = await claimsOf(token, audience)
    const now = clock.now() / 1000
    if (old.exp <= now) throw refused('it has expired')
    if (!old.service) {
      throw new AppError('FORBIDDEN', 'Only a service renews its token', {
        detail: `This token speaks for a person, ${old.sub}, who gets a new one from msvc token`,
      })
    }
    if (old.passes_on) throw new AppError('FORBIDDEN', 'A token for what others ask is not renewed')
    const { scopes = old.scope, audiences = old.aud } = wish
    const beyond = 'a renewed token is for nothing that the old one was not for'
    const [scope] = scopes.filter((name) => !old.scope.includes(name))
    if (scope !== undefined) throw new AppError('INVALID_REQUEST', 'invalid_scope', { detail: `${scope}: ${beyond}` })
    const [target] = audiences.filter((name) => !old.aud.includes(name))
    if (target !== undefined)
      throw new AppError('INVALID_REQUEST', 'invalid_target', { detail: `${target}: ${beyond}` })
    const expiresIn = Math.min(Math.ceil(old.exp - Math.min(old.iat ?? now, now)), MAX_TTL_SECONDS)
    const request = { subject: old.sub, audience: audiences, scopes, ttlSeconds: expiresIn, service: true }
    return { token: await mint(request), scopes, expiresIn }
  }

  async function referenceOf(token: string, audience: string): Promise<TokenReference | undefined> {
    try {
      const { jti, exp } = await claimsOf(token, audience)
      return jti === undefined ? undefined : { id: jti, until: (exp + SKEW_SECONDS) * 1000 }
    } catch (fault) {
      if (fault instanceof AppError && fault.code === 'UNAUTHENTICATED') return undefined
      throw fault
    }
  }

  function heed(revoked: (id: string) => boolean): void {
    isRevoked = revoked
  }

  function serviceToken(service: string, audience: string, forAsker = false): Promise<string> {
    const passesOn = forAsker && mayPassOn
    const key = `${service} ${audience} ${passesOn}`
    const kept = serviceTokens.get(key)
    const now = clock.now()
    if (kept && now < kept.renewAt) return kept.token
    const token = mint({ subject: service, audience, scopes: passesOn ? [] : serviceScopes, service: true, passesOn })
    serviceTokens.set(key, { token, renewAt: now + DEFAULT_TTL_SECONDS * 1000 * RENEW_AFTER })
    token.catch(() => serviceTokens.delete(key))
    return token
  }

  return { mode, issuer, mint, verify, recall, renew, referenceOf, heed, serviceToken }
}

/** RFC 6749 §3.3: printable ASCII without space, quote and backslash. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

type VerifyOptions = NonNullable<Parameters<typeof jwtVerify>[2]>

async function readClaims(token: string, options: VerifyOptions, keys: KeyRing['verifying']): Promise<Claims> {
  if (token.length > MAX_TOKEN_LENGTH) throw refused(`it is longer than ${MAX_TOKEN_LENGTH} bytes`)
  if (!isCompact(token)) throw refused('it is not three parts of base64url without padding')
  let payload: JWTPayload
  try {
    payload = (await jwtVerify(token, (header) => keyFor(header, keys), options)).payload
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw refused(reasonOf(cause), cause)
  }
  if (repeatsAName(token)) throw refused('it says something twice')
  const claims = Claims.safeParse(payload)
  if (!claims.success) throw refused('its claims are malformed')
  return claims.data
}

/** The key that the header names: it, and the algorithm it was made for, are all that the header may choose. */
function keyFor(header: JWTHeaderParameters, keys: KeyRing['verifying']): CryptoKey {
  const fault = headerFault(header)
  if (fault !== undefined) throw refused(fault)
  const known = typeof header.kid === 'string' ? keys.get(header.kid) : undefined
  if (!known) throw refused('it is signed by a key that is not known here', undefined, UNKNOWN_KEY)
  if (header.alg !== known.algorithm) throw refused('it is signed with an algorithm that is not accepted')
  return known.key
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

/** On another machine keys are made anew where there are none. */
const UNKNOWN_KEY = "make it by msvc token on the platform's own data folder, or beside a copy of its keys/"

/**
 * @param reason goes on after "The token was refused:" and is told the caller (RFC 6750 §3)
 * @param cure what to do, for the problem document's detail
 */
function refused(reason: string, cause?: unknown, cure?: string): AppError {
  const headers = { 'www-authenticate': `Bearer error="invalid_token", error_description="${reason}"` }
  const message = `The token was refused: ${reason}`
  return new AppError('UNAUTHENTICATED', message, { cause, headers, ...(cure && { detail: `${message}; ${cure}` }) })
}
