import { HIDDEN } from '../secrets/secret-text.ts'
import { hideSecrets } from '../secrets/secret-values.ts'
import type { Settings } from './schema.ts'

/** The settings as they may be shown: what goes with telemetry to other places is hidden, whatever it is called. */
export function shownSettings(settings: Settings): unknown {
  const hidden = settings.telemetry.export.map(({ headers, ...target }) => ({
    ...target,
    ...(headers && { headers: Object.fromEntries(Object.keys(headers).map((name) => [name, HIDDEN])) }),
  }))
  return hideSecrets({ ...settings, telemetry: { ...settings.telemetry, export: hidden } })
}

/** A value as a message quotes it: short, on one line, without secrets. */
export function shown(value: unknown): string {
  const isOddNumber = typeof value === 'number' && !Number.isFinite(value)
  const text = isOddNumber ? String(value) : (JSON.stringify(hideSecrets(value)) ?? String(value))
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}
