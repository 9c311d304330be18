import type { RawNumber } from '../../kit/exact-json.ts'

/**
 * What an attribute may be, or the body of a log record: OTLP's AnyValue as `JSON.stringify` writes it. A number without a fraction is an int64, any other
 * one a double; what a number can't say is an object of its own. Null is a value that is none.
 */
export type Value =
  | string
  | boolean
  | number
  | null
  | RawNumber
  | Int64
  | Double
  | Bytes
  | readonly Value[]
  | { readonly [key: string]: Value }

/** Attributes by their keys. */
export type Attributes = Readonly<Record<string, Value>>

/** An int64 that no double holds: text in JSON (https://protobuf.dev/programming-guides/json/). Its fields stay private, so that nothing looks into it for secrets. */
export class Int64 {
  readonly #digits: string

  /** @param digits of a whole number within 64 bits */
  constructor(digits: string) {
    this.#digits = digits
  }

  toJSON(): string {
    return this.#digits
  }
}

/** A double that JSON writes like an int64 (5), or can't (NaN): a number in JSON where there is one, else its name. */
export class Double {
  readonly #value: number

  constructor(value: number) {
    this.#value = value
  }

  get value(): number {
    return this.#value
  }

  toJSON(): number | string | RawNumber {
    if (Object.is(this.#value, -0)) return JSON.rawJSON('-0')
    return Number.isFinite(this.#value) ? this.#value : String(this.#value)
  }
}

/** Bytes: base64 in JSON. */
export class Bytes {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  toJSON(): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength).toString('base64')
  }
}

/** An int64 as a value. @example int64Value(9007199254740993n) // an Int64: "9007199254740993" in JSON */
export function int64Value(value: bigint): Value {
  const near = Number(value)
  return Number.isSafeInteger(near) ? near : new Int64(String(value))
}

/** A double as a value. @example doubleValue(5) // a Double, as 5 would be an int64 */
export function doubleValue(value: number): Value {
  return Number.isFinite(value) && !Number.isInteger(value) ? value : new Double(value)
}

/** Attributes by their keys. Of several of one key, which OTLP forbids, the last one counts. */
export function attributesOf(pairs: readonly (readonly [key: string, value: Value])[]): Attributes {
  return Object.fromEntries(pairs)
}
