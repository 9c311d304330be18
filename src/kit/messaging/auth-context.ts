import type { Asker } from '../auth/asker.ts'
import { encodeHeaderText } from '../header-text.ts'

/** What the extension calls a person who uses an application. */
const PERSON = 'app_user'

/**
 * Says in an event for which person it came about, as CloudEvents' Auth Context extension has it, so that what is made of it elsewhere belongs to
 * the same person. Empty where it was no person.
 */
export function authContext(asker: Asker | undefined): Readonly<Record<string, string>> {
  return asker?.is === 'user' ? { authtype: PERSON, authid: encodeHeaderText(asker.subject) } : {}
}

/**
 * An event's attributes without another's word on the person: where they say one and a person publishes, it is that person. A service is believed, as
 * it tells for whom it acted.
 */
export function withTrueAuthContext(
  attributes: Readonly<Record<string, string>>,
  asker: Asker | undefined,
): Readonly<Record<string, string>> {
  if (asker?.is !== 'user' || !CLAIMS.some((name) => name in attributes)) return attributes
  const { authid, authtype, authclaims, ...others } = attributes
  return { ...others, ...authContext(asker) }
}

/** All that the extension has. */
const CLAIMS = ['authtype', 'authid', 'authclaims']

/** The person for whom an event came about; null when it says none. */
export function personIn({ authtype, authid }: Readonly<Record<string, string>>): string | null {
  if (authtype !== PERSON || authid === undefined || authid === '') return null
  try {
    return decodeURIComponent(authid)
  } catch {
    return null
  }
}
