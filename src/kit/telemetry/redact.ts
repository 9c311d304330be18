/** Stands where a secret stood. */
const HIDDEN = '[hidden]'

const MAX_DEPTH = 8
/** Values looked at in one entry's metadata; what comes after is left out. */
const MAX_VALUES = 500
/** Characters kept of one text, and of all texts of one entry's metadata. */
const MAX_TEXT = 8_192
const MAX_TEXTS = 10_240
/** Key names remembered as secret or not. Metadata keys are literals in source code, so they are few. */
const MAX_KNOWN_KEYS = 1_000

/** Names whose values are secret, once lower-cased and without separators; alone or as a part of a longer one. */
const SECRET_PART = /passw(?:or)?d|passphrase|secret|apikey|cookie|credential|privatekey|authorization/
/** A name that ends so holds one (`access_token`, `X-CSRF-Token`); `tokens` and `token_count` are figures. */
const SECRET_END = /(?:token|jwt|signature)$/

/** What every secret in a text shows. Most texts hold none of it, so this one test is what they cost. */
const SUSPICIOUS = /:\/\/|eyJ|bearer|authorization|passw|secret|token|api[_-]?key|cookie/i

/** A shorter text can't hold one with what gives it away. */
const SHORTEST_SECRET = 5

const NAME = '(?:passwd|password|secret|token|api[_-]?key|cookie)'

/**
 * Secrets in running text. Each pattern begins with something fixed that its repeated part can't match, so that no text makes one slow.
 */
const SECRETS_IN_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(authorization["']?\s?[=:]\s?["']?(?:(?:basic|bearer|digest|token|apikey)\s)?)[^\s"',;]+/gi, `$1${HIDDEN}`],
  [/\b(bearer\s{1,8})(?!tokens?\b)[\w.~+/=-]+/gi, `$1${HIDDEN}`],
  [/(:\/\/)[^\s/?#"'<>]*@/g, `$1${HIDDEN}@`],
  [/(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*/g, HIDDEN],
  [new RegExp(`(${NAME}"?\\s?[:=]\\s?")[^"]*`, 'gi'), `$1${HIDDEN}`],
  [new RegExp(`(${NAME}=)[^\\s"'&,;}]+`, 'gi'), `$1${HIDDEN}`],
]

/**
 * A text without the secrets that show themselves in it: bearer tokens, JWTs, passwords in URLs, `password=…`, `"token":"…"`.
 * At most 8 192 characters of it, well-formed.
 * @example redactText('GET http://bob:pw@db/ failed') // 'GET http://[hidden]@db/ failed'
 */
export function redactText(text: string): string {
  return hideSecrets(cut(text, MAX_TEXT))
}

/**
 * A copy of a log entry's metadata that can be written down: values of secret keys (authorization, cookie, password, token, secret, api_key
 * …, any case, at any depth) and secrets inside texts hidden, everything else as plain JSON values. Bounded: eight levels, 500 values,
 * 10 240 characters. Never throws, whatever it is given (cycles, getters that throw, BigInt, functions); errors keep name, message,
 * stack, code and cause.
 */
export function redact(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const copy = new Redaction().copy(metadata, 0)
  return typeof copy === 'object' && copy !== null && !Array.isArray(copy) ? { ...copy } : { value: copy }
}

class Redaction {
  #values = 0
  #texts = 0
  /** The objects around the one being copied: meeting one of them again is a cycle. */
  readonly #around: object[] = []

  copy(value: unknown, depth: number): unknown {
    this.#values++
    if (typeof value === 'string') return this.#text(value)
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
    if (typeof value === 'boolean' || value === null || value === undefined) return value
    if (typeof value !== 'object') return this.#text(typeof value === 'function' ? '[function]' : String(value))
    if (this.#around.includes(value)) return '[circular]'
    if (depth >= MAX_DEPTH) return '[nested too deep]'
    this.#around.push(value)
    try {
      return this.#object(value, depth)
    } catch {
      return '[unreadable]'
    } finally {
      this.#around.pop()
    }
  }

  #object(value: object, depth: number): unknown {
    if (Array.isArray(value)) return this.#list(value, depth)
    if (value instanceof Error) return this.#fields(partsOf(value), depth)
    if (value instanceof Map) return this.#fields(Object.fromEntries(value), depth)
    if (value instanceof Set) return this.#list([...value], depth)
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.copy(value.toJSON(), depth + 1)
    return this.#fields(value as Readonly<Record<string, unknown>>, depth)
  }

  #fields(fields: Readonly<Record<string, unknown>>, depth: number): Readonly<Record<string, unknown>> {
    const copy: Record<string, unknown> = {}
    for (const key of Object.keys(fields)) {
      if (this.#full) {
        copy['…'] = 'more was left out'
        break
      }
      const value = isSecret(key) ? HIDDEN : this.#field(fields, key, depth)
      if (key === '__proto__') Object.defineProperty(copy, key, { value, enumerable: true })
      else copy[this.#key(key)] = value
    }
    return copy
  }

  #field(fields: Readonly<Record<string, unknown>>, key: string, depth: number): unknown {
    try {
      return this.copy(fields[key], depth + 1)
    } catch {
      return '[unreadable]'
    }
  }

  #list(list: readonly unknown[], depth: number): readonly unknown[] {
    const copy: unknown[] = []
    for (const value of list) {
      if (this.#full) {
        copy.push(`… ${list.length - copy.length} more`)
        break
      }
      copy.push(this.copy(value, depth + 1))
    }
    return copy
  }

  get #full(): boolean {
    return this.#values >= MAX_VALUES || this.#texts >= MAX_TEXTS
  }

  #key(key: string): string {
    this.#texts += key.length
    return key.length > 256 ? cut(key, 256) : key
  }

  #text(text: string): string {
    const kept = cut(text, Math.min(MAX_TEXT, MAX_TEXTS - this.#texts))
    this.#texts += kept.length
    return hideSecrets(kept)
  }
}

function hideSecrets(text: string): string {
  if (text.length < SHORTEST_SECRET || !SUSPICIOUS.test(text)) return text.toWellFormed()
  return SECRETS_IN_TEXT.reduce((rest, [pattern, shown]) => rest.replace(pattern, shown), text).toWellFormed()
}

function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text.slice(0, Math.max(0, most))}… ${text.length - Math.max(0, most)} more characters`
}

function partsOf(error: Error): Readonly<Record<string, unknown>> {
  const { name, message, stack, cause } = error
  return {
    name,
    message,
    ...('code' in error && { code: error.code }),
    stack,
    ...(cause !== undefined && { cause }),
  }
}

const known = new Map<string, boolean>()

function isSecret(key: string): boolean {
  const remembered = known.get(key)
  if (remembered !== undefined) return remembered
  const name = key
    .slice(0, 256)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
  const secret = SECRET_PART.test(name) || SECRET_END.test(name)
  if (known.size < MAX_KNOWN_KEYS && key.length <= 64) known.set(key, secret)
  return secret
}
