import type { Identity } from './identity.ts'

/** `local`: open to callers on this machine. `token`: every caller shows a JWT (design §6). */
export type AuthMode = 'local' | 'token'

/** What a token to be minted says. */
export interface TokenRequest {
  readonly subject: string
  readonly audience: string
  readonly scopes: readonly string[]
  /** Seconds until it expires. Default 3 600, at most 86 400. */
  readonly ttlSeconds?: number
  /** Marks the subject as a service of the platform. Default false. */
  readonly service?: boolean
}

/** Mints and checks the platform's JWTs (RFC 7519, RFC 8725). One a process; keys live in the data folder. */
export interface Authority {
  readonly mode: AuthMode
  readonly issuer: string
  /** Makes a signed token. Throws AppError `USAGE` for a subject, scope or life that no token may have. */
  mint(request: TokenRequest): Promise<string>
  /** Throws AppError `UNAUTHENTICATED` unless the token is signed by a known key with a pinned algorithm, and iss, aud, exp and nbf hold. */
  verify(token: string, audience: string): Promise<Identity>
  /** The same without waiting, for a token that was verified lately; undefined when `verify` has to be asked. */
  recall(token: string, audience: string): Identity | undefined
  /** A token by which `service` calls `audience`, with a service's scopes (SERVICE_SCOPES, and its role's `calls`), minted ahead of its expiry and kept until then. */
  serviceToken(service: string, audience: string): Promise<string>
}
