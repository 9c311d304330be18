import { encodeHeaderText } from '../header-text.ts'
import type { Identity } from './identity.ts'

/**
 * Who asks. What belongs to somebody is shown by this alone, and there is no "absent" among it that could be taken for everybody:
 * - `local`: whoever calls a role's own port in local mode without naming anybody. He sees all (design §6).
 * - `nobody`: came through the gateway without a token. Owns nothing and sees nothing that is somebody's.
 * - `user`, `service`: an Identity.
 * @example const who = asker.is === 'user' ? asker.subject : asker.is
 */
export type Asker = { readonly is: 'local' } | { readonly is: 'nobody' } | Identity

/** An asker who came through the gateway: never a local one. */
export type Caller = Exclude<Asker, { is: 'local' }>

/** The local asker. */
export const LOCAL: Asker = { is: 'local' }
/** The asker who is nobody. */
export const NOBODY: Caller = { is: 'nobody' }

/**
 * Header that says of what kind the asker is: `nobody`, `user` or `service`. The gateway sends it with every request, so that a request without it
 * is known not to have come through the gateway. A kind and a name are two headers: a user may be called "nobody".
 */
export const CALLER_HEADER = 'x-caller'
/** Header with the asker's name. Only the gateway's is believed in token mode. */
export const USER_ID_HEADER = 'x-user-id'
/** The same for what the asker may do: names separated by spaces. */
export const USER_SCOPES_HEADER = 'x-user-scopes'

/**
 * Name and scopes, if the asker has any.
 * @example const name = identityOf(currentScope()?.asker)?.subject ?? 'somebody'
 */
export function identityOf(asker: Asker | undefined): Identity | undefined {
  return asker?.is === 'user' || asker?.is === 'service' ? asker : undefined
}

/**
 * The headers that speak for an asker, for the gateway and the service client; none for a local one. A subject or scope with characters
 * that no header may hold is percent-encoded.
 */
export function askerHeaders(asker: Asker): Record<string, string> {
  if (asker.is === 'local') return {}
  if (asker.is === 'nobody') return { [CALLER_HEADER]: asker.is }
  return {
    [CALLER_HEADER]: asker.is,
    [USER_ID_HEADER]: encodeHeaderText(asker.subject),
    [USER_SCOPES_HEADER]: [...asker.scopes].map(encodeHeaderText).join(' '),
  }
}

/**
 * The asker that a believed caller's headers speak for; undefined when they speak for none. A word that can't be understood, such as an unknown kind or
 * a name that can't be decoded, is nobody's.
 */
export function askerFromHeaders(header: (name: string) => string | undefined): Caller | undefined {
  const kind = header(CALLER_HEADER)
  const userId = header(USER_ID_HEADER)
  if (kind === undefined && userId === undefined) return undefined
  const is = kind ?? 'user'
  const subject = decode(userId ?? '')
  if ((is !== 'user' && is !== 'service') || subject === '') return NOBODY
  const names = (header(USER_SCOPES_HEADER) ?? '').split(' ').map(decode)
  return { is, subject, scopes: new Set(names.filter((name) => name !== '')) }
}

function decode(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text
  } catch {
    return ''
  }
}
