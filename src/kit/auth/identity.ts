import { encodeHeaderText } from '../http/header-text.ts'

/** Who a verified token speaks for. */
export interface Identity {
  /** The token's `sub`: a user's name, or a service's. */
  readonly subject: string
  /** What the subject may do, such as `orders:write`. */
  readonly scopes: ReadonlySet<string>
  /** True when the subject is a service of the platform, not a person. */
  readonly service: boolean
}

/** Header by which the gateway tells a service whose request it passes on. Only the gateway's is believed. */
export const USER_ID_HEADER = 'x-user-id'
/** The same for what that user may do: names separated by spaces. */
export const USER_SCOPES_HEADER = 'x-user-scopes'

/**
 * The headers that speak for an identity, for the gateway and the service client. A subject or scope with characters that no header
 * may hold is percent-encoded.
 */
export function identityHeaders({ subject, scopes }: Identity): Record<string, string> {
  return {
    [USER_ID_HEADER]: encodeHeaderText(subject),
    [USER_SCOPES_HEADER]: [...scopes].map(encodeHeaderText).join(' '),
  }
}

/** The identity that a believed caller's headers speak for; undefined without a user id, or with one that can't be decoded. */
export function identityFromHeaders(userId: string | undefined, scopes: string | undefined): Identity | undefined {
  const subject = userId === undefined ? '' : decode(userId)
  if (subject === '') return undefined
  const names = (scopes ?? '').split(' ').map(decode)
  return { subject, scopes: new Set(names.filter((name) => name !== '')), service: false }
}

function decode(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text
  } catch {
    return ''
  }
}
