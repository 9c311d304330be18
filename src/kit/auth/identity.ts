/** Who a verified token speaks for. */
export interface Identity {
  /** The token's `sub`: a user's name, or a service's. */
  readonly subject: string
  readonly scopes: ReadonlySet<string>
  /** True when the subject is a service of the platform, not a person. */
  readonly service: boolean
}

/** Headers by which the gateway tells a service whose request it passes on. Only the gateway's are believed. */
export const USER_ID_HEADER = 'x-user-id'
export const USER_SCOPES_HEADER = 'x-user-scopes'

/** Everything but the visible ASCII that is safe in a header; `%` too, so that decoding is exact. */
const UNSAFE = /[^!#-$&-~]/gu

/**
 * The headers that speak for an identity, for the gateway and the service client. A subject or scope with characters that no header
 * may hold is percent-encoded.
 */
export function identityHeaders({ subject, scopes }: Identity): Record<string, string> {
  return { [USER_ID_HEADER]: encode(subject), [USER_SCOPES_HEADER]: [...scopes].map(encode).join(' ') }
}

/** The identity that a believed caller's headers speak for; undefined without a user id, or with one that can't be decoded. */
export function identityFromHeaders(userId: string | undefined, scopes: string | undefined): Identity | undefined {
  const subject = userId === undefined ? '' : decode(userId)
  if (subject === '') return undefined
  const names = (scopes ?? '').split(' ').map(decode)
  return { subject, scopes: new Set(names.filter((name) => name !== '')), service: false }
}

function encode(text: string): string {
  return text.toWellFormed().replace(UNSAFE, encodeURIComponent)
}

function decode(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text
  } catch {
    return ''
  }
}
