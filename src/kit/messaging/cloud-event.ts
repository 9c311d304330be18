import * as z from 'zod'
import { AppError } from '../errors.ts'
import { encodeHeaderText } from '../header-text.ts'
import { parseJson } from '../http/body.ts'
import { inputFaults } from '../input-faults.ts'

/** Media type of an event in the CloudEvents 1.0 JSON format (structured content mode). */
export const CLOUD_EVENT_TYPE = 'application/cloudevents+json'
/** The same for an array of events (batched content mode). */
export const CLOUD_EVENT_BATCH_TYPE = 'application/cloudevents-batch+json'

/** An event's context attributes besides its id, as text: `source`, `type`, and what else it carries (`time`, `traceparent` …). */
export type EventAttributes = Readonly<Record<string, string>> & { readonly source: string; readonly type: string }

/** A CloudEvent (1.0). */
export interface CloudEvent {
  readonly id: string
  readonly attributes: EventAttributes
  /** JSON, or a string that is the text of another media type. Absent when the event has none, or its data are bytes. */
  readonly data?: unknown
  /** Data that are neither. */
  readonly bytes?: Buffer
}

const MAX_TEXT = 4_096
/** Characters that all attributes may have together: what a header block can carry, since binary mode puts them there. */
const MAX_ATTRIBUTES = 16_384

/** The specification's type String, which has no control characters (§3.1). */
const STRING = z.string().regex(/^\P{Cc}*$/u, 'no control characters')
const ID = STRING.min(1).max(255)
const TEXT = STRING.min(1).max(MAX_TEXT)
const TIME = z.iso.datetime({ offset: true })
/** RFC 9110 §8.3.1. */
const MEDIA_TYPE = z
  .string()
  .max(255)
  .regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:[ \t]*;[\t\x20-\x7e]*)?$/, 'no media type')
/** Booleans and integers are types of the specification too; a null stands for an absent attribute (JSON format, 2.2). */
const EXTENSION = z.union([STRING.max(MAX_TEXT), z.boolean(), z.int(), z.null()])

const STRUCTURED = z
  .object({
    specversion: z.literal('1.0'),
    id: ID,
    source: TEXT,
    type: TEXT,
    time: TIME.nullish(),
    datacontenttype: MEDIA_TYPE.nullish(),
    data: z.unknown().optional(),
    data_base64: z.base64().nullish(),
  })
  .catchall(EXTENSION)

const ATTRIBUTE_NAME = /^[a-z0-9]{1,64}$/

/** Whether a media type, parameters and all, is JSON. An event that names none has JSON data (JSON format, 3.1). */
export function isJsonType(mediaType: string | undefined): boolean {
  return mediaType === undefined || /^[\w!#$&^.+-]+\/(?:[\w!#$&^.+-]+\+)?json[ \t]*(?:;|$)/i.test(mediaType)
}

/**
 * Reads an event of the JSON format: a `data_base64` that holds JSON, where it may, is JSON data.
 * Throws AppError `INVALID_REQUEST` naming what is wrong with it.
 */
export function fromStructured(value: unknown): CloudEvent {
  const result = STRUCTURED.safeParse(value)
  if (!result.success) throw invalid(inputFaults(result.error, 'event').join('; '))
  const { specversion, id, data, data_base64, ...attributes } = result.data
  const texts = toTexts(attributes)
  if (data_base64 != null) {
    if (data !== undefined) throw invalid('data and data_base64: an event has one of them')
    return { id, attributes: texts, ...decoded(Buffer.from(data_base64, 'base64'), texts.datacontenttype) }
  }
  return data === undefined ? { id, attributes: texts } : { id, attributes: texts, data }
}

function toTexts(
  attributes: { source: string; type: string } & Record<string, string | number | boolean | null | undefined>,
) {
  const texts: Record<string, string> & { source: string; type: string } = {
    source: attributes.source,
    type: attributes.type,
  }
  let length = 0
  for (const name in attributes) {
    const value = attributes[name]
    if (value === null || value === undefined) continue
    if (!ATTRIBUTE_NAME.test(name)) throw invalid(`${name}: attribute names are lower-case letters and digits`)
    const text = String(value)
    texts[name] = text
    length += name.length + text.length
  }
  if (length > MAX_ATTRIBUTES) throw invalid(`its attributes have more than ${MAX_ATTRIBUTES} characters together`)
  return texts
}

function decoded(bytes: Buffer, mediaType: string | undefined): Pick<CloudEvent, 'data' | 'bytes'> {
  if (!isJsonType(mediaType)) return { bytes }
  try {
    return { data: parseJson(bytes) }
  } catch (cause) {
    if (mediaType === undefined) return { bytes }
    throw invalid(`data_base64: not the ${mediaType} that it is said to be`, cause)
  }
}

/** The event in the JSON format, ready for JSON.stringify. */
export function toStructured({ id, attributes, data }: CloudEvent): Readonly<Record<string, unknown>> {
  return data === undefined
    ? { specversion: '1.0', id, ...attributes }
    : { specversion: '1.0', id, ...attributes, data }
}

/** What binary content mode keeps in headers; the data is the body. */
export type EventContext = Omit<CloudEvent, 'data' | 'bytes'>

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * Reads an event's attributes from HTTP headers (binary content mode, CloudEvents HTTP binding 3.1). Undefined when the
 * request carries no event. Throws AppError `INVALID_REQUEST`.
 * @param headers lower-case names, as node:http gives them
 */
export function fromHeaders(headers: Headers): EventContext | undefined {
  if (headers['ce-specversion'] === undefined) {
    if (REQUIRED.every((name) => headers[name] === undefined)) return undefined
    throw invalid('ce-specversion is missing')
  }
  const found: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (typeof value === 'string' && name.startsWith('ce-')) found[name.slice(3)] = decodeValue(value)
  }
  const mediaType = headers['content-type']
  if (typeof mediaType === 'string' && !PLAIN_JSON.test(mediaType)) found.datacontenttype = mediaType
  const { id, attributes } = fromStructured(found)
  return { id, attributes }
}

/** By one of these it is known what was meant for an event. */
const REQUIRED = ['ce-id', 'ce-source', 'ce-type']

/** Media types that say no more of an event than none does; the second is what command lines send when told nothing. */
const PLAIN_JSON = /^application\/(?:json|x-www-form-urlencoded)[ \t]*(?:;|$)/i

/** An event's attributes as HTTP headers, without `content-type` (binary content mode). */
export function toHeaders({ id, attributes }: EventContext): Record<string, string> {
  const headers: Record<string, string> = { 'ce-specversion': '1.0', 'ce-id': encodeHeaderText(id) }
  for (const name in attributes) {
    if (name !== 'datacontenttype') headers[`ce-${name}`] = encodeHeaderText(attributes[name] ?? '')
  }
  return headers
}

/** Undoes what HTTP binding 3.1.3.2 has a sender encode; a `%` that encodes nothing stands for itself. */
function decodeValue(value: string): string {
  try {
    return utf8Of(value).replace(ENCODED, decodeURIComponent)
  } catch (cause) {
    throw invalid(`${value.slice(0, 80)}: its bytes are no text`, cause)
  }
}

/** node gives header bytes as Latin-1. Whoever doesn't percent-encode them, as the binding wants it, means UTF-8. Throws for what is none. */
function utf8Of(value: string): string {
  return BEYOND_ASCII.test(value)
    ? new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'))
    : value
}

const BEYOND_ASCII = /[\u0080-\u00ff]/
const ENCODED = /(?:%[0-9a-fA-F]{2})+/g

function invalid(detail: string, cause?: unknown): AppError {
  return new AppError('INVALID_REQUEST', 'Invalid CloudEvent', { detail: `Invalid CloudEvent: ${detail}`, cause })
}
