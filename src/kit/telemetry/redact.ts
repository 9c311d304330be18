import { hideInText } from '../secrets/secret-text.ts'
import { hideSecrets } from '../secrets/secret-values.ts'

const MAX_DEPTH = 8
/** Values looked at in one entry's metadata; what comes after is left out. */
const MAX_VALUES = 500
/** Characters kept of one text, and of all texts of one entry's metadata. */
const MAX_TEXT = 8_192
const MAX_TEXTS = 10_240

/** A text without the secrets that show in it: at most 8 192 characters of it, well-formed. */
export function redactText(text: string): string {
  return hideInText(cut(text, MAX_TEXT)).toWellFormed()
}

/**
 * A copy of a log entry's metadata that can be written down: plain JSON values (numbers that no double holds as they are), the secrets among them hidden. Bounded: eight levels, 500 values,
 * 10 240 characters. Never throws, whatever it is given (cycles, getters that throw, BigInt, functions); errors keep name, message, stack, code and
 * cause.
 */
export function redact(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const copy = hideSecrets(new PlainCopy().copy(metadata, 0))
  return typeof copy === 'object' && copy !== null && !Array.isArray(copy) ? { ...copy } : { value: copy }
}

/** A bounded copy as plain JSON values. */
class PlainCopy {
  #values = 0
  #texts = 0
  /** The objects around the one being copied: meeting one of them again is a cycle. */
  readonly #around: object[] = []

  copy(value: unknown, depth: number): unknown {
    this.#values++
    if (typeof value === 'string') return this.#text(value)
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
    if (typeof value === 'boolean' || value === null || value === undefined) return value
    // a number that no double holds: it is written to the letter
    if (JSON.isRawJSON(value)) return value
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
      const value = this.#field(fields, key, depth)
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
    return kept.toWellFormed()
  }
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
