import { exportJWK, type JWK, SignJWT } from 'jose'
import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import type { AuthMode, Authority, RenewalWish, Renewed, TokenReference, TokenRequest } from './authority.ts'
import { type KeyRing, loadKeyRing } from './key-files.ts'
import { MountedKeys } from './mounted-keys.ts'
import { SERVICE_SCOPES } from './scopes.ts'
import { MAX_TOKEN_LENGTH, SCOPE } from './token-form.ts'
import { createVerifier, MAX_TTL_SECONDS, refused, SKEW_SECONDS } from './token-verifier.ts'

const DEFAULT_TTL_SECONDS = 3_600
/** Share of its life after which a service token is replaced. */
const RENEW_AFTER = 0.8

/** What an authority signs with, and whom it believes. */
export interface AuthorityOptions {
  readonly mode: AuthMode
  /** The `iss` of tokens minted and accepted, such as `msvc`. */
  readonly issuer: string
  /** Where the key files are; made on first use. */
  readonly folder: string
  /** A file with the keys instead, which is only read, and followed while it changes: see `MountedKeys`. Default: those of the folder. */
  readonly keyFile?: string
  readonly clock: Clock
  /** Scopes of service tokens besides SERVICE_SCOPES. Default none. */
  readonly calls?: readonly string[]
  /** Whether what its service does for an asker is done by tokens that say so (`Role.passesOn`). Default false. */
  readonly passesOn?: boolean
}

interface KeptServiceToken {
  readonly token: Promise<string>
  /** Wall-clock milliseconds. */
  readonly renewAt: number
}

/**
 * Mints the platform's JWTs with the keys of its own data folder (RFC 7519), and checks them by these (token-verifier.ts has the rules). Keys are read on
 * first use, so a process that checks no token pays nothing.
 * @example
 * const authority = createAuthority({ mode: 'local', issuer: 'msvc', folder: '.msvc/keys', clock: systemClock })
 * const token = await authority.mint({ subject: 'alice', audience: 'api-gateway', scopes: ['orders:write'] })
 */
export function createAuthority(options: AuthorityOptions): Authority {
  const { mode, issuer, folder, keyFile, clock, calls = [], passesOn: mayPassOn = false } = options
  const serviceTokens = new Map<string, KeptServiceToken>()
  const serviceScopes = [...new Set([...SERVICE_SCOPES, ...calls])]
  const mounted = keyFile === undefined ? undefined : new MountedKeys(keyFile, clock)
  let loading: Promise<KeyRing> | undefined

  function keyRing(): Promise<KeyRing> {
    if (mounted) return mounted.ring()
    loading ??= loadKeyRing(folder).catch((fault: unknown) => {
      loading = undefined
      throw fault
    })
    return loading
  }

  const verifier = createVerifier({
    issuer,
    clock,
    keyOf: async (kid) => (await keyRing()).verifying.get(kid),
    isBelieved: (key) => mounted?.has(key) ?? true,
    unknownKey: UNKNOWN_KEY,
  })

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

  async function renew(token: string, audience: string, wish: RenewalWish = {}): Promise<Renewed> {
    const old = await verifier.claimsOf(token, audience)
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
      const { jti, exp } = await verifier.claimsOf(token, audience)
      return jti === undefined ? undefined : { id: jti, until: (exp + SKEW_SECONDS) * 1000 }
    } catch (fault) {
      if (fault instanceof AppError && fault.code === 'UNAUTHENTICATED') return undefined
      throw fault
    }
  }

  async function publicKeys(): Promise<readonly JWK[]> {
    const { verifying } = await keyRing()
    const keys = [...verifying.values()]
    return Promise.all(
      keys.map(async ({ kid, algorithm, key }) => ({ ...(await exportJWK(key)), kid, alg: algorithm, use: 'sig' })),
    )
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

  const { verify, recall, heed } = verifier
  return { mode, issuer, mint, verify, recall, renew, referenceOf, publicKeys, heed, serviceToken }
}

/** On another machine keys are made anew where there are none. */
const UNKNOWN_KEY = "make it by msvc token on the platform's own data folder, or beside a copy of its keys/"
