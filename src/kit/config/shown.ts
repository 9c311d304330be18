import { hideSecrets } from '../secrets/secret-values.ts'

/** A value as a message quotes it: short, on one line, without secrets. */
export function shown(value: unknown): string {
  const text = JSON.stringify(hideSecrets(value)) ?? String(value)
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}
