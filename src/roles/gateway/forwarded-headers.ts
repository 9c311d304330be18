import { type Asker, askerHeaders } from '../../kit/auth/asker.ts'
import { DEADLINE_HEADER } from '../../kit/client/outgoing-headers.ts'
import { headerWords, type PassedHeaders, passedHeaders } from '../../kit/forwarding/passed-headers.ts'
import { formatTraceparent } from '../../kit/telemetry/trace-context.ts'
import type { SpanContext } from '../../kit/telemetry/tracing.ts'
import { claimsOrigin } from './header-kinds.ts'
import type { RequestOrigin } from './request-origin.ts'

/** What the gateway says of itself and of the caller to the upstream, in place of whatever the client claimed. */
export interface ForwardedFor {
  /** Where the request comes from. */
  readonly origin: RequestOrigin
  readonly requestId: string
  readonly span: SpanContext
  /** The verified caller, or nobody: it is always said which. */
  readonly asker: Asker
  /** The gateway's own token for the upstream, in `auth.mode: token`. */
  readonly serviceToken: string | undefined
  /** Whole milliseconds the client still waits. */
  readonly waitMs: number
}

/** Decides which headers go through the gateway, in both directions. */
export interface HeaderFilter {
  /**
   * The header lines for the upstream, each ending in CRLF, without the blank line. Left out besides what nobody passes on (`PassedHeaders`): the
   * client's Authorization, and every header of a kind by which a client could pose as somebody else or as a proxy (see `claimsOrigin`), in any
   * spelling that some server reads as the same name.
   * @param rawHeaders names and values by turns, as node:http gives them
   * @param authority the upstream's `host:port`
   */
  request(rawHeaders: readonly string[], authority: string, forwarded: ForwardedFor): string
  /** The response's headers for the client. */
  readonly response: PassedHeaders['response']
}

/**
 * Makes a header filter.
 * @param stripped more names that don't pass to the upstream, or their beginnings with `*` behind
 */
export function headerFilter(stripped: readonly string[] = []): HeaderFilter {
  const strips = stripRule(stripped)
  const passed = passedHeaders((name, words) => OWN.has(words) || claimsOrigin(name) || strips(words))
  /** A token seen again is the same Identity object again, so its lines are written once. */
  const claims = new WeakMap<Asker, string>()

  function linesOf(asker: Asker): string {
    const known = claims.get(asker)
    if (known !== undefined) return known
    const headers = Object.entries(askerHeaders(asker))
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    claims.set(asker, lines)
    return lines
  }

  return {
    request: (rawHeaders, authority, forwarded) =>
      passed.request(rawHeaders, authority) + ownLines(forwarded, linesOf(forwarded.asker)),
    response: passed.response,
  }
}

function ownLines({ origin, requestId, span, serviceToken, waitMs }: ForwardedFor, who: string): string {
  const { path, proto, host } = origin
  let lines = `x-forwarded-for: ${path}\r\nx-forwarded-proto: ${proto}\r\n`
  if (host !== undefined) lines += `x-forwarded-host: ${host}\r\n`
  lines += `x-request-id: ${requestId}\r\ntraceparent: ${formatTraceparent(span)}\r\nx-trace-id: ${span.traceId}\r\nx-span-id: ${span.spanId}\r\n`
  if (span.state !== undefined) lines += `tracestate: ${span.state}\r\n`
  lines += `${DEADLINE_HEADER}: ${waitMs}\r\n`
  lines += who
  return serviceToken === undefined ? lines : `${lines}authorization: Bearer ${serviceToken}\r\n`
}

function stripRule(stripped: readonly string[]): (words: string) => boolean {
  const names = new Set(stripped.filter((name) => !name.endsWith('*')).map(headerWords))
  const beginnings = stripped.filter((name) => name.endsWith('*')).map((name) => headerWords(name.slice(0, -1)))
  return (words) => names.has(words) || beginnings.some((beginning) => words.startsWith(beginning))
}

/**
 * Names that go no further besides those that claim who asks or where from: the message's credentials, its trace, and what a browser
 * says of the page that asks. The gateway has judged that page already; a service behind it, with another Host, would take every page for a foreign one.
 */
const OWN = new Set([
  'authorization',
  'origin',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  DEADLINE_HEADER,
  'traceparent',
  'tracestate',
  'x-trace-id',
  'x-span-id',
  'x-request-id',
])
