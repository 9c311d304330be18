import { isSecretName } from './secret-name.ts'
import { HIDDEN, hideInText, hideInWords } from './secret-text.ts'

/** Keys of `{ "name": "Authorization", "value": "…" }`, as HTTP archives, forms, environments and attributes spell them. */
const NAME_KEYS = bothCases('name', 'key', 'header', 'field', 'param', 'k', 'id', 'label', 'property')
const VALUE_KEYS = bothCases('value', 'val', 'content', 'v', 'values', 'newValue', 'oldValue')
/** A user's name, beside which a `pass` is a password. */
const USER = /(?:user(?:[_-]?name)?|login|e-?mail)$/i
/** What can be a name in a list; a sentence isn't. */
const NAME = /^[\w.-]{1,128}$/
/** Keys remembered as showing no secret: nearly all are literals in source code, so they are few. */
const MAX_PLAIN = 1_000

const plainKeys = new Set<string>()

/**
 * JSON without its secrets: what has a secret's name, at any depth, whether a key names it, a name beside it or the text before it in a list; and what
 * shows in texts and keys. The same value when it holds none; else a copy in which everything else is as it was.
 * @example hideSecrets({ store: 'postgres://ann:pass@db' }) // { store: 'postgres://[hidden]@db' }
 * @example hideSecrets(['--password', 'hunter2']) // ['--password', '[hidden]']
 * @example hideSecrets(['mysql', '-phunter2']) // ['mysql', '-p[hidden]']
 */
export function hideSecrets(texts: Readonly<Record<string, string>>): Readonly<Record<string, string>>
export function hideSecrets(value: unknown): unknown
export function hideSecrets(value: unknown): unknown {
  if (typeof value === 'string') return hideInText(value)
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return value
  return Array.isArray(value) ? hideInList(value) : hideInFields(value)
}

/** What stands under a secret's name, as it may be shown: nothing, a yes or a no give nothing away. */
function hideNamed(value: unknown): unknown {
  return value === '' || value === null || value === undefined || typeof value === 'boolean' ? value : HIDDEN
}

function hideInList(list: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined
  for (const [index, held] of list.entries()) {
    const shown = isNamedBefore(list, index) ? hideNamed(held) : hideSecrets(held)
    if (shown === held) continue
    copy ??= [...list]
    copy[index] = shown
  }
  const shown = copy ?? list
  return isCommand(shown) ? hideInWords(shown) : shown
}

/** Whether a list is a command's words, as programs are started with. */
function isCommand(list: readonly unknown[]): list is readonly string[] {
  return list.every((word) => typeof word === 'string') && list.some((word) => word.startsWith('-'))
}

/** Whether the item before it names a secret: a flag does, and so does every other one of a list in pairs (`rawHeaders`, `Object.entries`). */
function isNamedBefore(list: readonly unknown[], index: number): boolean {
  const name = list[index - 1]
  if (typeof name !== 'string' || !NAME.test(name) || !isSecretName(name)) return false
  if (!name.startsWith('-')) return index % 2 === 1 && list.length % 2 === 0
  const held = list[index]
  return typeof held !== 'string' || !held.startsWith('-')
}

function hideInFields(fields: object): object {
  const entries = Object.entries(fields)
  const isPair = entries.some(
    ([key, name]) => NAME_KEYS.has(key) && typeof name === 'string' && NAME.test(name) && isSecretName(name),
  )
  let copy: [string, unknown][] | undefined
  for (const [index, [key, held]] of entries.entries()) {
    const isNamed = isSecretName(key) || (isPair && VALUE_KEYS.has(key)) || isPass(key, fields)
    const shown = isNamed ? hideNamed(held) : hideSecrets(held)
    const name = hideInKey(key)
    if (shown === held && name === key) continue
    copy ??= [...entries]
    copy[index] = [name, shown]
  }
  return copy ? Object.fromEntries(copy) : fields
}

/** Whether it is the password beside a user's name, as clients of mail and databases spell it. */
function isPass(key: string, fields: object): boolean {
  return key.length === 4 && key.toLowerCase() === 'pass' && Object.keys(fields).some((other) => USER.test(other))
}

function hideInKey(key: string): string {
  if (plainKeys.has(key)) return key
  const shown = hideInText(key)
  if (shown === key && key.length <= 64 && plainKeys.size < MAX_PLAIN) plainKeys.add(key)
  return shown
}

function bothCases(...keys: readonly string[]): ReadonlySet<string> {
  return new Set(keys.flatMap((key) => [key, `${key.charAt(0).toUpperCase()}${key.slice(1)}`]))
}
