import { hideSecrets } from '../secrets/secret-values.ts'

/** A value as a message quotes it: short, on one line, without secrets. */
export function shown(value: unknown): string {
  const isOddNumber = typeof value === 'number' && !Number.isFinite(value)
  const text = isOddNumber ? String(value) : (JSON.stringify(hideSecrets(value)) ?? String(value))
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}
