import { isSecretName } from './secret-name.ts'
import { HIDDEN, hideInText } from './secret-text.ts'

/**
 * JSON without its secrets: what has a secret's name, at any depth, and what shows in texts and names. The same value when it holds none; else a
 * copy in which everything else is as it was.
 * @example hideSecrets({ store: 'postgres://ann:pass@db' }) // { store: 'postgres://[hidden]@db' }
 */
export function hideSecrets(value: unknown): unknown {
  if (typeof value === 'string') return hideInText(value)
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value) ? hideInList(value) : hideInFields(value)
}

/** What stands under a secret's name, as it may be shown: nothing, a yes or a no give nothing away. */
export function hideNamed(value: unknown): unknown {
  return value === '' || value === null || value === undefined || typeof value === 'boolean' ? value : HIDDEN
}

function hideInList(list: readonly unknown[]): readonly unknown[] {
  const copy = list.map(hideSecrets)
  return copy.some((value, i) => value !== list[i]) ? copy : list
}

function hideInFields(fields: object): object {
  const named = nameIn(fields)
  const isPair = named !== undefined && isSecretName(named)
  let changed = false
  const shown: [string, unknown][] = []
  for (const [key, held] of Object.entries(fields)) {
    const to = isSecretName(key) || (isPair && key === 'value') ? hideNamed(held) : hideSecrets(held)
    const name = hideInText(key)
    if (to !== held || name !== key) changed = true
    shown.push([name, to])
  }
  return changed ? Object.fromEntries(shown) : fields
}

/** The name in `{ "name": "Authorization", "value": "…" }`, as in an HTTP archive. */
function nameIn(fields: object): string | undefined {
  if (!('value' in fields)) return undefined
  const name = 'name' in fields ? fields.name : 'key' in fields ? fields.key : undefined
  return typeof name === 'string' ? name : undefined
}
