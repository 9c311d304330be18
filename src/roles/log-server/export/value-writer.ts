import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import { Bytes, Double, Int64 } from '../attribute-value.ts'
import { BYTES, FIXED64, VARINT } from '../otlp/wire-reader.ts'

/** Writes attributes into field `field`: a KeyValue each. */
export function writeAttributes(writer: BinaryWriter, field: number, attributes: object | undefined): void {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    writer.tag(field, BYTES).fork()
    writeKeyValue(writer, key, value)
    writer.join()
  }
}

function writeKeyValue(writer: BinaryWriter, key: string, value: unknown): void {
  if (key !== '') writer.tag(1, BYTES).string(key)
  writer.tag(2, BYTES).fork()
  writeValue(writer, value)
  writer.join()
}

/** Writes what an AnyValue holds; nothing for null. */
export function writeValue(writer: BinaryWriter, value: unknown): void {
  if (typeof value === 'string') writer.tag(1, BYTES).string(value)
  else if (typeof value === 'boolean') writer.tag(2, VARINT).bool(value)
  else if (typeof value === 'number') writeNumber(writer, value)
  else if (value instanceof Int64) writer.tag(3, VARINT).int64(value.toJSON())
  else if (value instanceof Double) writer.tag(4, FIXED64).double(value.value)
  else if (value instanceof Bytes) writer.tag(7, BYTES).bytes(value.bytes)
  else if (JSON.isRawJSON(value)) writeRawNumber(writer, value.rawJSON)
  else if (Array.isArray(value)) writeList(writer, value)
  else if (typeof value === 'object' && value !== null) {
    writer.tag(6, BYTES).fork()
    writeAttributes(writer, 1, value)
    writer.join()
  }
}

function writeList(writer: BinaryWriter, list: readonly unknown[]): void {
  writer.tag(5, BYTES).fork()
  for (const item of list) {
    writer.tag(1, BYTES).fork()
    writeValue(writer, item)
    writer.join()
  }
  writer.join()
}

function writeNumber(writer: BinaryWriter, value: number): void {
  if (Number.isSafeInteger(value)) writer.tag(3, VARINT).int64(value)
  else writer.tag(4, FIXED64).double(value)
}

/** A number that JSON had to the letter: an int64 where it is one. */
function writeRawNumber(writer: BinaryWriter, text: string): void {
  const whole = /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined
  if (whole !== undefined && BigInt.asIntN(64, whole) === whole) writer.tag(3, VARINT).int64(whole)
  else writer.tag(4, FIXED64).double(Number(text))
}
