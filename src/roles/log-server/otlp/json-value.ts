import { AppError } from '../../../kit/errors.ts'
import { isRecord } from '../../../kit/record.ts'
import { type Attributes, attributesOf, Bytes, doubleValue, int64Value, type Value } from '../attribute-value.ts'

// By hand, not by a schema: most of a request is attributes, and a schema of alternatives in alternatives takes four times as long.

const LEAST_INT64 = -(2n ** 63n)
const MOST_INT64 = 2n ** 63n - 1n
/** RFC 4648, in both alphabets, padded or not. */
const BASE64 = /^[\w+/-]*={0,2}$/

/** The attributes of a list of keys and values; none for null. Throws AppError `INVALID_BODY`. */
export function jsonAttributes(given: unknown): Attributes {
  if (given === null || given === undefined) return {}
  if (!Array.isArray(given)) throw invalid('a list of keys and values')
  return attributesOf(
    given.map((pair: unknown) => {
      if (!isRecord(pair)) throw invalid('a key and a value')
      const { key = '', value } = pair
      if (typeof key !== 'string') throw invalid('a text as key')
      return [key, jsonValue(value)]
    }),
  )
}

/** A value of any type; null where none is set. Throws AppError `INVALID_BODY`. */
export function jsonValue(given: unknown): Value {
  if (given === null || given === undefined) return null
  if (!isRecord(given)) throw invalid('a value such as { "stringValue": "…" }')
  for (const [type, held] of Object.entries(given)) {
    if (held !== null && Object.hasOwn(READERS, type)) return READERS[type as keyof typeof READERS](held)
  }
  return null
}

const READERS = {
  stringValue(held: unknown): Value {
    if (typeof held === 'string') return held
    throw invalid('a text as stringValue')
  },
  boolValue(held: unknown): Value {
    if (typeof held === 'boolean') return held
    throw invalid('true or false as boolValue')
  },
  intValue(held: unknown): Value {
    const value = wholeNumber(held)
    if (value !== undefined && value >= LEAST_INT64 && value <= MOST_INT64) return int64Value(value)
    throw invalid('a whole number of 64 bits as intValue')
  },
  doubleValue(held: unknown): Value {
    const text = numberText(held)
    const value = text === '' ? Number.NaN : Number(text)
    if (text === 'NaN' || !Number.isNaN(value)) return doubleValue(value)
    throw invalid('a number, NaN, Infinity or -Infinity as doubleValue')
  },
  arrayValue(held: unknown): Value {
    const values = isRecord(held) ? (held.values ?? []) : undefined
    if (Array.isArray(values)) return values.map(jsonValue)
    throw invalid('a list of values as arrayValue')
  },
  kvlistValue(held: unknown): Value {
    if (isRecord(held)) return jsonAttributes(held.values)
    throw invalid('a list of keys and values as kvlistValue')
  },
  bytesValue(held: unknown): Value {
    if (typeof held === 'string' && BASE64.test(held)) return new Bytes(Buffer.from(held, 'base64'))
    throw invalid('base64 as bytesValue')
  },
}

/** A whole number given as text or as a number; undefined for anything else. */
export function wholeNumber(given: unknown): bigint | undefined {
  const text = numberText(given)
  return /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined
}

function numberText(given: unknown): string {
  if (JSON.isRawJSON(given)) return given.rawJSON
  return typeof given === 'string' || typeof given === 'number' ? String(given) : ''
}

function invalid(wanted: string): AppError {
  return new AppError('INVALID_BODY', `expected ${wanted}`)
}
