import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { StoredMessage } from '../../drivers/bus/publisher.ts'
import { parseRetryAfter } from '../../kit/client/retry.ts'
import { guardedLookup, refusedUrl } from '../../kit/discovery/address-rule.ts'
import { type EventAttributes, isJsonType, toHeaders } from '../../kit/messaging/cloud-event.ts'
import { saysLater } from '../../kit/passing-faults.ts'
import { writeTraceContext } from '../../kit/telemetry/trace-context.ts'
import type { SpanContext } from '../../kit/telemetry/tracing.ts'
import { ConnectTimeout } from '../../kit/upstream/unreachable.ts'
import { eventId } from './event-identity.ts'

/** How a push endpoint took a message; `later`: it couldn't at the moment, whatever the message. `cause` is the network's own error, where there is one. */
export type PushOutcome =
  | { readonly taken: true }
  | {
      readonly taken: false
      readonly reason: string
      readonly later: boolean
      readonly retryAfterMs?: number
      readonly cause?: Error
    }

/** One post to make. */
export interface PushOptions {
  readonly url: string
  readonly message: StoredMessage
  /** Goes with it as `Authorization: Bearer`; undefined for none. */
  readonly token: string | undefined
  /** What the endpoint's work hangs from. What the event says of its trace stays as its producer wrote it (CloudEvents, Distributed Tracing extension). */
  readonly span: SpanContext
  /** Milliseconds until the answer's head must be there. */
  readonly timeoutMs: number
  /** Wall clock. */
  readonly now: () => number
  readonly signal: AbortSignal
}

/** Milliseconds until an endpoint must be connected with, TLS included: those across the world take some hundreds. */
const CONNECT_MS = 5_000
/** Longest wait an endpoint may ask for by Retry-After, in milliseconds (1 h). */
const MAX_RETRY_AFTER_MS = 3_600_000

/**
 * Posts a message to a push endpoint as a CloudEvent in binary content mode. Taken is what is answered with 2xx; a redirect is
 * not followed, and the address rule holds for what the name resolves to now. Never rejects.
 */
export function pushPost({ url, message, token, span, timeoutMs, now, signal }: PushOptions): Promise<PushOutcome> {
  const refused = refusedUrl(url)
  if (refused !== undefined)
    return Promise.resolve({ taken: false, later: false, reason: `the push URL is refused: ${refused}` })
  const target = new URL(url)
  const body = bodyOf(message)
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve) => {
    // a connection of its own for each message: on a shared one, a surplus answer could be taken for the next message's
    const request: ClientRequest = send(target, {
      method: 'POST',
      agent: false,
      lookup: guardedLookup,
      signal,
      headers: {
        ...headersOf(message, span),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        'content-length': body.length,
      },
    })
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    const connecting = setTimeout(() => request.destroy(new ConnectTimeout(CONNECT_MS)), CONNECT_MS)
    request.once('socket', (socket) =>
      socket.once(send === httpsRequest ? 'secureConnect' : 'connect', () => clearTimeout(connecting)),
    )
    request.once('response', (response) => {
      resolve(outcomeOf(response, now()))
      response.destroy()
    })
    request.once('error', (cause) => resolve({ taken: false, later: true, reason: cause.message, cause }))
    request.once('close', () => {
      clearTimeout(timer)
      clearTimeout(connecting)
      // after a switch of protocols there is neither response nor error
      resolve({ taken: false, later: false, reason: 'the endpoint closed without an answer' })
    })
    request.end(body)
  })
}

/** An event's data as they came: text and bytes of other media types are JSON strings in the bus alone. */
function bodyOf({ payload, form, attributes }: StoredMessage): Buffer {
  if (form === 'none') return Buffer.alloc(0)
  if (form === 'bytes') return Buffer.from(JSON.parse(payload), 'base64')
  const isText = payload.startsWith('"') && !isJsonType(attributes.datacontenttype)
  return Buffer.from(isText ? JSON.parse(payload) : payload)
}

/** CloudEvents HTTP binding 3.1. A message that came as plain JSON becomes an event of the broker's. */
function headersOf(message: StoredMessage, span: SpanContext): Record<string, string> {
  const { topic, timestamp, attributes, form } = message
  const mediaType = attributes.datacontenttype ?? (form === undefined ? 'application/json' : undefined)
  const event: EventAttributes = {
    source: '/broker',
    type: topic,
    time: new Date(timestamp).toISOString(),
    ...attributes,
  }
  return {
    ...toHeaders({ id: eventId(message), attributes: event }),
    ...(mediaType !== undefined && { 'content-type': mediaType }),
    'user-agent': 'msvc-broker',
    ...writeTraceContext(span),
  }
}

function outcomeOf({ statusCode = 0, headers }: IncomingMessage, now: number): PushOutcome {
  if (statusCode >= 200 && statusCode < 300) return { taken: true }
  const reason = `the endpoint answered ${statusCode}`
  const later = saysLater(statusCode)
  const asked = parseRetryAfter(headers['retry-after'] ?? '', now)
  if (asked === 0) return { taken: false, later, reason }
  return { taken: false, later, reason, retryAfterMs: Math.min(asked, MAX_RETRY_AFTER_MS) }
}
