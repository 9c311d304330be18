import { isUtf8 } from 'node:buffer'
import { randomUUIDv7 } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import * as z from 'zod'
import type { Publication } from '../../drivers/bus/publisher.ts'
import { AppError, toAppError } from '../../kit/errors.ts'
import { memberOf } from '../../kit/exact-json.ts'
import { type ReadItem, readArray, readLines } from '../../kit/http/batch.ts'
import { bodyText, MAX_BODY_BYTES, parseJsonText } from '../../kit/http/body.ts'
import { parseInput } from '../../kit/http/route.ts'
import { type Sifted, sift } from '../../kit/http/sifting.ts'
import {
  CLOUD_EVENT_BATCH_TYPE,
  CLOUD_EVENT_TYPE,
  type CloudEvent,
  type EventContext,
  fromHeaders,
  fromStructured,
  isJsonType,
} from '../../kit/messaging/cloud-event.ts'
import { checkTopicName } from '../../kit/topic-name.ts'
import { asWished, DELIVERY_FIELDS } from './delivery-wish.ts'
import { busId } from './event-identity.ts'
import type { Publisher } from './publisher.ts'

/** As an event's id: without control characters. */
const MESSAGE_ID = z
  .string()
  .min(1)
  .max(255)
  .regex(/^\P{Cc}*$/u, 'no control characters')

/** A line of a batch that is no CloudEvent. */
export const PLAIN_LINE = z.strictObject({
  topic: z.string(),
  payload: z.unknown(),
  id: MESSAGE_ID.optional(),
  ...DELIVERY_FIELDS,
})

/**
 * Reads one message from a request: a CloudEvent in structured or binary content mode, or any JSON. The topic is the path's;
 * an event's `type` stays one of its attributes. Any JSON may bring its id in `Idempotency-Key`. Throws AppError
 * (`INVALID_REQUEST`, `INVALID_BODY`, `BODY_TOO_LARGE`).
 * @param owner whose the message's id is; undefined where that makes no difference
 */
export function readMessage(topic: string, headers: IncomingHttpHeaders, body: Buffer, owner?: string): Publication {
  checkTopicName(topic)
  const format = mediaType(headers)
  if (format === CLOUD_EVENT_TYPE) {
    const text = bodyText(body)
    return fromEvent(topic, fromStructured(parseJsonText(text)), text, owner)
  }
  if (format.startsWith('application/cloudevents')) {
    const detail = `${format} is not taken here: an event comes as ${CLOUD_EVENT_TYPE}, or in ce-* headers`
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Unknown format of an event', { detail })
  }
  const event = fromHeaders(headers)
  if (event) return fromContext(topic, event, dataOfBody(body, event.attributes.datacontenttype), owner)
  const text = bodyText(body)
  parseJsonText(text)
  const key = headers['idempotency-key']
  const id =
    key === undefined ? randomUUIDv7() : busId(parseInput(MESSAGE_ID, key, 'Invalid Idempotency-Key'), { owner })
  return { id, topic, payload: text, attributes: {} }
}

/**
 * Reads many messages from a request: a batch of CloudEvents, or NDJSON whose lines are CloudEvents or
 * `{"topic","payload","id","key","delay"}`. An event's topic is its `type`. A faulty message is left
 * out and named by its index, counted from 0; with `atomic`, and when none is good, the first one's AppError is thrown.
 */
export async function readBatch(
  headers: IncomingHttpHeaders,
  body: Buffer,
  { owner, atomic, now }: { owner: string | undefined; atomic: boolean; now: () => number },
): Promise<Sifted<Publication>> {
  const isEvent = mediaType(headers) === CLOUD_EVENT_BATCH_TYPE
  const read = (bytes: Buffer, index: number) => readItemAt(bytes, index, { owner, isEvent, now })
  if (isEvent) {
    const array = async (take: ReadItem<void>) => {
      if (!(await readArray(body, take))) throw new AppError('INVALID_BODY', 'A batch of CloudEvents is a JSON array')
    }
    return sift(read, array, atomic)
  }
  const messages = await sift(read, (take) => readLines(body, take), atomic)
  if (messages.items.length > 0) return messages
  throw new AppError('INVALID_BODY', 'The body is empty; one JSON document a line was expected')
}

/**
 * Leaves those messages of a batch out that are too large for what the broker keeps them in, and names them by their index; with `atomic`, and when none
 * fits, the first one's AppError `BODY_TOO_LARGE` is thrown.
 */
export function leaveOutLarge(
  { items, indexes, rejected }: Sifted<Publication>,
  { publisher, atomic }: { readonly publisher: Pick<Publisher, 'checkSize'>; readonly atomic: boolean },
): Sifted<Publication> {
  const faults = new Map<number, AppError>()
  for (const [at, message] of items.entries()) {
    try {
      publisher.checkSize(message)
    } catch (fault) {
      faults.set(at, atIndex(indexes[at] ?? at, toAppError(fault)))
    }
  }
  const [first] = faults.values()
  if (first === undefined) return { items, indexes, rejected }
  if (atomic || faults.size === items.length) throw first
  const fits = (_: unknown, at: number) => !faults.has(at)
  const large = [...faults].map(([at, { code, detail }]) => ({ index: indexes[at] ?? at, code, detail }))
  return { items: items.filter(fits), indexes: indexes.filter(fits), rejected: [...rejected, ...large] }
}

/** What is known of a message of a batch before it is read. */
interface Item {
  readonly owner: string | undefined
  readonly isEvent: boolean
  /** Wall clock. */
  readonly now: () => number
}

/** Reads a message of a batch, telling its number when it is faulty. */
function readItemAt(bytes: Buffer, index: number, item: Item): Publication {
  try {
    return readItem(bodyText(bytes), item)
  } catch (fault) {
    if (!(fault instanceof AppError)) throw fault
    throw atIndex(index, fault)
  }
}

function atIndex(index: number, fault: AppError): AppError {
  return new AppError(fault.code, fault.message, { detail: `Message at index ${index}: ${fault.detail}`, cause: fault })
}

function readItem(text: string, { owner, isEvent, now }: Item): Publication {
  const value = parseJsonText(text)
  if (isEvent || (typeof value === 'object' && value !== null && 'specversion' in value)) {
    const event = fromStructured(value)
    return asWished(fromEvent(checkTopicName(event.attributes.type), event, text, owner), {}, now)
  }
  const { topic, id, key, delay } = parseInput(PLAIN_LINE, value, 'Neither a CloudEvent nor {"topic","payload"}')
  const message = {
    id: id === undefined ? randomUUIDv7() : busId(id, { owner }),
    topic: checkTopicName(topic),
    payload: checkPayload(memberOf(text, 'payload') ?? 'null'),
    attributes: {},
  }
  return asWished(message, { key, delay }, now)
}

/** The data of an event as the bus keeps them. */
type Data = Pick<Publication, 'payload' | 'form'>

const NO_DATA: Data = { payload: 'null', form: 'none' }

/** @param text what the event was read from: its data are kept to the letter */
function fromEvent(
  topic: string,
  { data, bytes, ...event }: CloudEvent,
  text: string,
  owner: string | undefined,
): Publication {
  if (bytes) return fromContext(topic, event, ofBytes(bytes), owner)
  return fromContext(topic, event, data === undefined ? NO_DATA : { payload: dataOf(text) }, owner)
}

function dataOf(text: string): string {
  const base64: unknown = JSON.parse(memberOf(text, 'data_base64') ?? 'null')
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64').toString()
  return memberOf(text, 'data') ?? 'null'
}

/** The body of an event in binary content mode. Text of another media type is a string, as it is in the JSON format. */
function dataOfBody(body: Buffer, type: string | undefined): Data {
  if (body.length === 0) return NO_DATA
  if (!isJsonType(type))
    return isText(type) && isUtf8(body) ? { payload: JSON.stringify(body.toString()) } : ofBytes(body)
  const text = bodyText(body)
  parseJsonText(text)
  return { payload: text }
}

function isText(type = ''): boolean {
  return /^(?:text\/|application\/(?:[^;]*\+)?xml\b)/i.test(type)
}

function ofBytes(bytes: Buffer): Data {
  if (bytes.length > MAX_BODY_BYTES) throw tooLarge()
  return { payload: `"${bytes.toString('base64')}"`, form: 'bytes' }
}

function fromContext(
  topic: string,
  { id, attributes }: EventContext,
  data: Data,
  owner: string | undefined,
): Publication {
  const { source } = attributes
  if (data.form === undefined) checkPayload(data.payload)
  return { id: busId(id, { source, owner }), topic, attributes, ...data }
}

/** A message in a batch is no larger than one that comes alone: its consumers count on that. */
function checkPayload(payload: string): string {
  if (payload.length * 3 <= MAX_BODY_BYTES || Buffer.byteLength(payload) <= MAX_BODY_BYTES) return payload
  throw tooLarge()
}

function tooLarge(): AppError {
  return new AppError('BODY_TOO_LARGE', `A message's payload has at most ${MAX_BODY_BYTES} bytes`)
}

function mediaType(headers: IncomingHttpHeaders): string {
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1)
  return type.trim().toLowerCase()
}
