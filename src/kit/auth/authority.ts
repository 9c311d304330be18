import type { JWK } from 'jose'
import type { Identity } from './identity.ts'

/** `local`: open to callers on this machine. `token`: every caller shows a JWT (design §6). */
export type AuthMode = 'local' | 'token'

/** What a token to be minted says. */
export interface TokenRequest {
  readonly subject: string
  /** The service it is for, or several. */
  readonly audience: string | readonly string[]
  readonly scopes: readonly string[]
  /** Seconds until it expires. Default 3 600, at most 86 400. */
  readonly ttlSeconds?: number
  /** Marks the subject as a service of the platform. Default false. */
  readonly service?: boolean
  /** Marks a service's token as one for what others ask, so that its word about who asks is believed. Default false. */
  readonly passesOn?: boolean
}

/** What a renewed token should be for: less than the old one was for. */
export interface RenewalWish {
  /** Default: all of the old one's. */
  readonly scopes?: readonly string[]
  /** Default: all of the old one's. */
  readonly audiences?: readonly string[]
}

/** A token in place of an older one. */
export interface Renewed {
  readonly token: string
  readonly scopes: readonly string[]
  /** Seconds until it expires. */
  readonly expiresIn: number
}

/** By what a token can be revoked (RFC 7519 §4.1.7). */
export interface TokenReference {
  /** Its `jti`. */
  readonly id: string
  /** When it ends by itself, skew included: wall-clock milliseconds. */
  readonly until: number
}

/** Mints and checks the platform's JWTs (RFC 7519, RFC 8725). One a process; keys live in the data folder. */
export interface Authority {
  readonly mode: AuthMode
  readonly issuer: string
  /**
   * Resolves when the keys that tokens are checked with are known, and rejects with AppError `UNAVAILABLE` that says why they aren't. Absent where
   * they lie in this process's files.
   */
  readonly check?: () => Promise<void>
  /** Makes a signed token. Throws AppError `USAGE` for a subject, scope or life that no token may have, and for more than fits into one. */
  mint(request: TokenRequest): Promise<string>
  /** Throws AppError `UNAUTHENTICATED` unless the token is signed by a known key with a pinned algorithm, and iss, aud, exp and nbf hold. */
  verify(token: string, audience: string): Promise<Identity>
  /** The same without waiting, for a token that was verified lately; undefined when `verify` has to be asked. */
  recall(token: string, audience: string): Identity | undefined
  /**
   * A fresh token for a service that shows the one it has: the same subject, a life as long from now on, nothing that the old one didn't
   * allow. Throws AppError `UNAUTHENTICATED` for a token that `audience` wouldn't take or that has ended, without any skew; `FORBIDDEN` for a
   * person's and for one that passes on, `INVALID_REQUEST` (`invalid_scope`, `invalid_target`: RFC 6749 §5.2, RFC 8693 §2.2.2) for a wish that goes beyond it.
   */
  renew(token: string, audience: string, wish?: RenewalWish): Promise<Renewed>
  /** By what a token can be revoked; undefined for one that `audience` wouldn't take anyway, or that has no `jti`. */
  referenceOf(token: string, audience: string): Promise<TokenReference | undefined>
  /** The public keys that the platform's tokens are checked with (RFC 7517), for whoever has no part in its data folder. */
  publicKeys(): Promise<readonly JWK[]>
  /** Says which tokens count no more, though they are true and in their time: asked by `jti` at each use. Default: none. */
  heed(isRevoked: (tokenId: string) => boolean): void
  /**
   * A token by which `service` calls `audience`, minted ahead of its expiry and kept until then. It has a service's scopes (SERVICE_SCOPES, and its
   * role's `calls`); for what a role that passes on (`Role.passesOn`) does for an asker it has none, and the mark that it does.
   * @param forAsker whether the call says for whom it is made. Default false.
   */
  serviceToken(service: string, audience: string, forAsker?: boolean): Promise<string>
}
