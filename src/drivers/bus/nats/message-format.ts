import { hash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Msg } from '@nats-io/transport-node'
import type { Publication, StoredMessage } from '../publisher.ts'
import type { Write } from './stream-writer.ts'
import { laterSubject, messageSubject, type Streams, topicOf } from './streams.ts'

/** What a message says besides its payload, as JSON in one header: a header of NATS's own loses spaces at its ends. */
const HEADER = 'Msvc-Message'
/** Ids that need no digest: short, and nothing in them that a header can't have. */
const PLAIN_ID = /^[!-~]{1,64}$/

const DUE = 'Msvc-Due'
/** Of a copy whose data are what the message says and its payload, packed. */
const PACKED = 'Msvc-Packed'
/** What a message has besides its payload and the values of its own headers, in bytes: their names, and headers of NATS. */
const FRAME = 512

/**
 * Bytes of the server's `max_payload` that a message leaves free when it is taken, for what is noted beside it later: when it is due, which place it is to
 * take, or how it died, with a reason of 3 000 bytes at most (dead-letters.ts).
 */
export const ROOM = 4_096

/** When a message that waits takes its place, and where. */
export interface Due {
  readonly topic: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** How long it waits at most, in milliseconds, whatever the wall clock says. */
  readonly delayMs: number
}

type Told = Pick<Publication, 'id' | 'form' | 'attributes'> & {
  /** When it took its place on the bus that it came from, milliseconds since 1970. Absent: when it was stored. */
  readonly tookPlaceAt?: number
}

/** A message as its topic's stream has it. */
export function messageWrite(streams: Streams, message: Publication & Told): Write & { readonly id: string } {
  const { topic, payload } = message
  return {
    subject: messageSubject(streams, topic),
    payload,
    id: dedupId(message),
    headers: { [HEADER]: told(message) },
  }
}

/** A message as it waits for its time. */
export function laterWrite(streams: Streams, message: Publication, due: Due): Write & { readonly id: string } {
  const write = messageWrite(streams, message)
  return { ...write, subject: laterSubject(streams), headers: { ...write.headers, [DUE]: JSON.stringify(due) } }
}

/** When a message that waits is due; undefined for any other. */
export function dueOf(headers: Msg['headers']): Due | undefined {
  const text = headers?.get(DUE) ?? ''
  return text === '' ? undefined : (JSON.parse(text) as Due)
}

/** The id by which a message that waited takes its place: once, however often that is tried. */
export function placingId(id: string): string {
  return `${id} due`
}

/** The id by which the server knows a message that has the id of one that was cancelled, whose sequence was this. */
export function idBehind(id: string, cancelled: number): string {
  return `${id} behind ${cancelled}`
}

/** What a message says besides its payload, as a header's value. */
function told({ id, form, attributes, tookPlaceAt }: Told): string {
  return JSON.stringify({
    id,
    attributes,
    ...(form !== undefined && { form }),
    ...(tookPlaceAt !== undefined && { tookPlaceAt }),
  })
}

/**
 * A copy of a message, with more headers: packed where that is more than a server takes, as for a message that another client put there, whose bytes may be
 * longer as text.
 * @param most bytes that the server takes
 */
export function copyWrite(
  message: Told & Pick<Publication, 'payload'>,
  more: Readonly<Record<string, string>>,
  most: number,
): Pick<Write, 'payload' | 'headers'> {
  const { payload } = message
  const said = told(message)
  const size = [payload, said, ...Object.values(more)].reduce((sum, text) => sum + Buffer.byteLength(text), FRAME)
  if (size <= most) return { payload, headers: { [HEADER]: said, ...more } }
  return { payload: deflateRawSync(`${said}\n${payload}`), headers: { [PACKED]: 'deflate', ...more } }
}

/** A message as it was published. @param at where it stands in the stream of messages, and since when */
export function storedMessage(
  streams: Streams,
  { subject, headers, data }: { readonly subject: string; readonly headers: Msg['headers']; readonly data: Uint8Array },
  at: { readonly seq: number; readonly timestamp: number },
): StoredMessage {
  const { said, payload } = contentOf(headers, Buffer.from(data.buffer, data.byteOffset, data.byteLength))
  const { id, form, attributes, tookPlaceAt = at.timestamp } = readTold(said)
  return {
    id,
    topic: topicOf(streams, subject),
    payload,
    attributes,
    ...(form !== undefined && { form }),
    offset: at.seq,
    timestamp: tookPlaceAt,
  }
}

function contentOf(headers: Msg['headers'], data: Buffer): { readonly said: string; readonly payload: string } {
  if ((headers?.get(PACKED) ?? '') === '') return { said: headers?.get(HEADER) ?? '', payload: data.toString() }
  const text = inflateRawSync(data).toString()
  const end = text.indexOf('\n')
  return { said: text.slice(0, end), payload: text.slice(end + 1) }
}

/** A message that somebody else put into the stream says nothing of the kind. */
function readTold(text: string): Told {
  if (text === '') return { id: '', attributes: {} }
  return JSON.parse(text) as Told
}

/** What the server tells copies by: the topic and the publisher's id. */
export function dedupId({ topic, id }: Pick<Publication, 'topic' | 'id'>): string {
  if (PLAIN_ID.test(id) && PLAIN_ID.test(topic)) return `${topic} ${id}`
  return `${hash('sha256', topic, 'base64url')} ${hash('sha256', id, 'base64url')}`
}
