import { BinaryReader } from '@bufbuild/protobuf/wire'
import { AppError } from '../../../kit/errors.ts'
import { type Attributes, attributesOf, Bytes, doubleValue, int64Value, type Value } from '../attribute-value.ts'
import { MAX_ITEM_VALUES } from './bounds.ts'

/** Levels of lists and objects in one value. */
const MAX_DEPTH = 32

/** What follows a tag (https://protobuf.dev/programming-guides/encoding/#structure). */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2
export const FIXED32 = 5

/** A field's number and wire type as one. @example fieldTag(1, BYTES) // 10 */
export const fieldTag = (field: number, wireType: number): number => field * 8 + wireType

const KEY = fieldTag(1, BYTES)
const VALUE = fieldTag(2, BYTES)
const VALUES = fieldTag(1, BYTES)
const STRING_VALUE = fieldTag(1, BYTES)
const BOOL_VALUE = fieldTag(2, VARINT)
const INT_VALUE = fieldTag(3, VARINT)
const DOUBLE_VALUE = fieldTag(4, FIXED64)
const ARRAY_VALUE = fieldTag(5, BYTES)
const KVLIST_VALUE = fieldTag(6, BYTES)
const BYTES_VALUE = fieldTag(7, BYTES)

/**
 * Reads protobuf of which nothing is believed: no message reaches beyond the one around it, no value is nested deeper than 32 levels, no item holds more
 * than 20 000 values. Fields of another number or wire type are passed over. Bytes that are no protobuf throw Error.
 */
export class WireReader extends BinaryReader {
  #values = 0
  #before = 0

  /** Values read so far. */
  get values(): number {
    return this.#values
  }

  /** The values of a new item are counted from here on. */
  beginItem(): void {
    this.#before = this.#values
  }

  /** One more value. Throws AppError `BODY_TOO_LARGE` when its item has too many. */
  count(): void {
    this.#values++
    if (this.#values - this.#before <= MAX_ITEM_VALUES) return
    throw new AppError('BODY_TOO_LARGE', `it holds more than ${MAX_ITEM_VALUES} values`)
  }

  /** One more field that is no item's: it counts for the whole alone. */
  countOutside(): void {
    this.#values++
    this.#before++
  }

  /** Reads a message that has its length before it. @param take reads the field of a tag; false when it is none of its own */
  message(take: (tag: number) => boolean): void {
    this.fields(this.endOfMessage(), take)
  }

  /** Reads fields up to `end`. */
  fields(end: number, take: (tag: number) => boolean): void {
    while (this.pos < end) {
      const [field, wireType] = this.tag()
      if (!take(fieldTag(field, wireType))) this.skip(wireType, field)
    }
    this.assertAt(end)
  }

  /** Where the message ends whose length is next. */
  endOfMessage(): number {
    const length = this.uint32()
    const end = this.pos + length
    if (end > this.len) throw new RangeError('a message reaches beyond its end')
    return end
  }

  /** Throws unless a message was left where it ends. */
  assertAt(end: number): void {
    if (this.pos !== end) throw new RangeError('a field reaches beyond the end of its message')
  }

  /** An id as lower-case hex. */
  hex(): string {
    const bytes = this.bytes()
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  }

  /** A fixed64 as it is: nanoseconds, mostly. */
  nanos(): bigint {
    const low = this.fixed32()
    return (BigInt(this.fixed32()) << 32n) | BigInt(low)
  }

  /** Adds a key and its value to attributes. */
  keyValue(into: [string, Value][], depth = 0): void {
    this.count()
    let key = ''
    let value: Value = null
    this.message((tag) => {
      if (tag === KEY) key = this.string()
      else if (tag === VALUE) value = this.anyValue(depth)
      else return false
      return true
    })
    into.push([key, value])
  }

  /** A value of any type; null where none is set. */
  anyValue(depth = 0): Value {
    if (depth > MAX_DEPTH) throw new RangeError(`a value is nested deeper than ${MAX_DEPTH} levels`)
    let value: Value = null
    this.message((tag) => {
      switch (tag) {
        case STRING_VALUE:
          value = this.string()
          return true
        case BOOL_VALUE:
          value = this.bool()
          return true
        case INT_VALUE:
          value = int64Value(BigInt(this.int64()))
          return true
        case DOUBLE_VALUE:
          value = doubleValue(this.double())
          return true
        case ARRAY_VALUE:
          value = this.#list(depth)
          return true
        case KVLIST_VALUE:
          value = this.#object(depth)
          return true
        case BYTES_VALUE:
          value = new Bytes(this.bytes().slice())
          return true
        default:
          return false
      }
    })
    return value
  }

  #list(depth: number): readonly Value[] {
    const list: Value[] = []
    this.message((tag) => {
      if (tag !== VALUES) return false
      this.count()
      list.push(this.anyValue(depth + 1))
      return true
    })
    return list
  }

  #object(depth: number): Attributes {
    const pairs: [string, Value][] = []
    this.message((tag) => {
      if (tag !== VALUES) return false
      this.keyValue(pairs, depth + 1)
      return true
    })
    return attributesOf(pairs)
  }
}
