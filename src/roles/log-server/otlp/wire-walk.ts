import { AppError, messageOf } from '../../../kit/errors.ts'
import { MAX_ITEM_BYTES } from '../../../kit/http/batch.ts'
import { attributesOf, type Value } from '../attribute-value.ts'
import { MAX_OTLP_VALUES } from './bounds.ts'
import { newResource, newScope, type OtlpResource, type OtlpScope } from './messages.ts'
import { type Found, tooLargeItem, tooManyValues, type Walked } from './walked.ts'
import { BYTES, fieldTag, VARINT, WireReader } from './wire-reader.ts'

/** Reads an item that ends at `end`. */
export type ReadWireItem<T> = (reader: WireReader, end: number) => T

/**
 * Goes through an OTLP export request in protobuf, item by item, so that its reader can let others have their turns in between. Requests of all signals are
 * alike: groups by resource, in them groups by scope, in them items. A scope and its resource are complete once the walk is over.
 * Throws AppError `INVALID_BODY`, and `BODY_TOO_LARGE` for more than a million values.
 */
export function* walkWire<T>(body: Uint8Array, read: ReadWireItem<T>): Generator<Walked<T>> {
  try {
    const reader = new WireReader(body)
    yield* eachMessage(reader, body.length, fieldTag(1, BYTES), (end) => walkResource(reader, end, read))
  } catch (fault) {
    if (fault instanceof AppError) throw fault
    throw new AppError('INVALID_BODY', 'The body is no OTLP request in protobuf', {
      detail: `The body is no OTLP request in protobuf: ${messageOf(fault)}`,
      cause: fault,
    })
  }
}

const RESOURCE = fieldTag(1, BYTES)
const SCOPE = fieldTag(1, BYTES)
/** Groups by scope in a group by resource, and items in those. */
const INNER = fieldTag(2, BYTES)
const SCHEMA_URL = fieldTag(3, BYTES)

function walkResource<T>(reader: WireReader, end: number, read: ReadWireItem<T>): Generator<Walked<T>> {
  const resource = newResource()
  return eachMessage(
    reader,
    end,
    INNER,
    (end) => walkScope(reader, end, resource, read),
    (tag) => {
      if (tag === RESOURCE) readResource(reader, resource)
      else if (tag === SCHEMA_URL) resource.schemaUrl = reader.string()
      else return false
      return true
    },
  )
}

function walkScope<T>(
  reader: WireReader,
  end: number,
  resource: OtlpResource,
  read: ReadWireItem<T>,
): Generator<Walked<T>> {
  const scope = newScope(resource)
  return eachMessage(
    reader,
    end,
    INNER,
    (end) => walkItem(reader, end, scope, read),
    (tag) => {
      if (tag === SCOPE) readScope(reader, scope)
      else if (tag === SCHEMA_URL) scope.schemaUrl = reader.string()
      else return false
      return true
    },
  )
}

function* walkItem<T>(reader: WireReader, end: number, scope: OtlpScope, read: ReadWireItem<T>): Generator<Walked<T>> {
  const item = end - reader.pos > MAX_ITEM_BYTES ? tooLargeItem() : readItem(reader, end, scope, read)
  reader.pos = end
  yield item
}

function readItem<T>(reader: WireReader, end: number, scope: OtlpScope, read: ReadWireItem<T>): Found<T> {
  reader.beginItem()
  try {
    return { item: read(reader, end), scope }
  } catch (fault) {
    if (fault instanceof AppError && fault.code === 'BODY_TOO_LARGE') return { refused: fault.message }
    throw fault
  }
}

/** Goes into each message of a tag; the other fields are read by `take`. */
function* eachMessage<T>(
  reader: WireReader,
  end: number,
  inner: number,
  walk: (end: number) => Generator<Walked<T>>,
  take: (tag: number) => boolean = () => false,
): Generator<Walked<T>> {
  while (reader.pos < end) {
    reader.countOutside()
    if (reader.values > MAX_OTLP_VALUES) throw tooManyValues()
    const [field, wireType] = reader.tag()
    const tag = fieldTag(field, wireType)
    if (tag === inner) {
      const innerEnd = reader.endOfMessage()
      if (innerEnd > end) throw new RangeError('a message reaches beyond the one around it')
      yield* walk(innerEnd)
    } else if (!take(tag)) reader.skip(wireType, field)
    yield undefined
  }
  reader.assertAt(end)
}

function readResource(reader: WireReader, resource: OtlpResource): void {
  const attributes: [string, Value][] = []
  reader.beginItem()
  reader.message((tag) => {
    if (tag === fieldTag(1, BYTES)) reader.keyValue(attributes)
    else if (tag === fieldTag(2, VARINT)) resource.droppedAttributes = reader.uint32()
    else return false
    return true
  })
  resource.attributes = attributesOf(attributes)
}

function readScope(reader: WireReader, scope: OtlpScope): void {
  const attributes: [string, Value][] = []
  reader.beginItem()
  reader.message((tag) => {
    switch (tag) {
      case fieldTag(1, BYTES):
        scope.name = reader.string()
        return true
      case fieldTag(2, BYTES):
        scope.version = reader.string()
        return true
      case fieldTag(3, BYTES):
        reader.keyValue(attributes)
        return true
      case fieldTag(4, VARINT):
        scope.droppedAttributes = reader.uint32()
        return true
      default:
        return false
    }
  })
  scope.attributes = attributesOf(attributes)
}
