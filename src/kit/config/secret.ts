import { isRecord } from './locate.ts'

/** Whether a key's value is a secret by its name: it is printed nowhere. */
export function isSecretKey(key: string): boolean {
  return /password|passphrase|secret|token|credential|private_?key|api_?key|authorization|cookie/i.test(key)
}

/** The part of a URL that opens doors: `postgres://ann:pass@host` → `postgres://ann:***@host`. */
function hideCredentials(text: string): string {
  return text.replaceAll(/(\/\/[^\s/:@]*):[^\s/]*@/g, '$1:***@')
}

/** A value as a message quotes it: short, on one line, without credentials. */
export function shown(value: unknown): string {
  const text = hideCredentials(JSON.stringify(value) ?? String(value))
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}

/**
 * A copy of a configuration that can be shown: secrets (by key name, and passwords in URLs) replaced by `***`.
 * @example hideSecrets({ store: 'postgres://ann:pass@db' }) // { store: 'postgres://ann:***@db' }
 */
export function hideSecrets(value: unknown): unknown {
  if (typeof value === 'string') return hideCredentials(value)
  if (Array.isArray(value)) return value.map(hideSecrets)
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, held]) => [
      key,
      isSecretKey(key) && typeof held === 'string' && held !== '' ? '***' : hideSecrets(held),
    ]),
  )
}
