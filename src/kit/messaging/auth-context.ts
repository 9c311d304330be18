import type { Asker } from '../auth/asker.ts'
import { encodeHeaderText } from '../http/header-text.ts'

/** What the extension calls a person who uses an application. */
const PERSON = 'app_user'

/**
 * Says in an event for which person it came about, as CloudEvents' Auth Context extension has it, so that what is made of it elsewhere belongs to
 * the same person. Empty where it was no person.
 */
export function authContext(asker: Asker | undefined): Readonly<Record<string, string>> {
  return asker?.is === 'user' ? { authtype: PERSON, authid: encodeHeaderText(asker.subject) } : {}
}

/** The person for whom an event came about; null when it says none. */
export function personIn({ authtype, authid }: Readonly<Record<string, string>>): string | null {
  if (authtype !== PERSON || authid === undefined || authid === '') return null
  try {
    return decodeURIComponent(authid)
  } catch {
    return null
  }
}
