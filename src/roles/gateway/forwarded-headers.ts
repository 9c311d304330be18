import { type Asker, askerHeaders } from '../../kit/auth/asker.ts'
import { DEADLINE_HEADER } from '../../kit/client/outgoing-headers.ts'
import { formatTraceparent } from '../../kit/telemetry/trace-context.ts'
import type { SpanContext } from '../../kit/telemetry/tracing.ts'
import { claimsOrigin, headerWords } from './header-kinds.ts'
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
   * The header lines for the upstream, each ending in CRLF, without the blank line. Left out: hop-by-hop headers and those that
   * Connection names (RFC 9110 §7.6.1), the client's Host, Content-Length and Authorization, and every header of a kind by which a client could pose
   * as somebody else or as a proxy (see `claimsOrigin`), in any spelling that some server reads as the same name.
   * @param rawHeaders names and values by turns, as node:http gives them
   * @param authority the upstream's `host:port`
   */
  request(rawHeaders: readonly string[], authority: string, forwarded: ForwardedFor): string
  /**
   * The response's headers for the client, byte by byte as they came, less the hop-by-hop ones and those that the gateway sets itself.
   * @param own headers that whoever writes the answer adds, by lower-case name
   */
  response(rawHeaders: readonly string[], own: Readonly<Record<string, string>>): string[]
}

/**
 * Makes a header filter. It remembers how each header name is to be treated, since a gateway sees the same few names all day; when made-up
 * names have filled the memory, it begins anew.
 * @param stripped more names that don't pass to the upstream, or their beginnings with `*` behind
 */
export function headerFilter(stripped: readonly string[] = []): HeaderFilter {
  const rules = new Map<string, NameRule>()
  const strips = stripRule(stripped)
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

  function ruleOf(name: string): NameRule {
    const known = rules.get(name)
    if (known) return known
    const rule = nameRule(name, strips)
    if (name.length > REMEMBERED_LENGTH) return rule
    if (rules.size >= REMEMBERED_NAMES) rules.clear()
    rules.set(name, rule)
    return rule
  }

  function namedByConnection(rawHeaders: readonly string[]): ReadonlySet<string> | undefined {
    let named: Set<string> | undefined
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      if (ruleOf(rawHeaders[at] ?? '').lower !== 'connection') continue
      const value = (rawHeaders[at + 1] ?? '').toLowerCase()
      if (value === 'keep-alive' || value === 'close') continue
      named ??= new Set()
      for (const token of value.split(',')) named.add(token.trim())
    }
    return named
  }

  return {
    request(rawHeaders, authority, forwarded) {
      const named = namedByConnection(rawHeaders)
      let lines = `host: ${authority}\r\n`
      for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
        const name = rawHeaders[at] ?? ''
        const rule = ruleOf(name)
        if (!rule.toUpstream || named?.has(rule.lower)) continue
        lines += `${name}: ${rawHeaders[at + 1]}\r\n`
      }
      return lines + ownLines(forwarded, linesOf(forwarded.asker))
    },

    response(rawHeaders, own) {
      const named = namedByConnection(rawHeaders)
      const headers: string[] = []
      let lengthAt: number | undefined
      for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
        const name = rawHeaders[at] ?? ''
        const rule = ruleOf(name)
        if (!rule.toClient || named?.has(rule.lower)) continue
        if (own[rule.lower] !== undefined && !ADDED_UP.has(rule.lower)) continue
        if (rule.lower === 'content-length') lengthAt = at
        else headers.push(name, rawHeaders[at + 1] ?? '')
      }
      // the last one: node recodes a Content-Disposition that comes behind it
      if (lengthAt !== undefined) headers.push(rawHeaders[lengthAt] ?? '', rawHeaders[lengthAt + 1] ?? '')
      return headers
    },
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

interface NameRule {
  readonly lower: string
  readonly toUpstream: boolean
  readonly toClient: boolean
}

function nameRule(name: string, strips: (words: string) => boolean): NameRule {
  const lower = name.toLowerCase()
  const words = headerWords(name)
  // content_length and its like are nothing to this gateway, but may be the real thing to a server behind the upstream's door
  const kept = OWN.has(words) || HOP_BY_HOP.has(words) || claimsOrigin(name) || strips(words)
  return { lower, toUpstream: !kept, toClient: !HOP_BY_HOP.has(lower) }
}

function stripRule(stripped: readonly string[]): (words: string) => boolean {
  const names = new Set(stripped.filter((name) => !name.endsWith('*')).map(headerWords))
  const beginnings = stripped.filter((name) => name.endsWith('*')).map((name) => headerWords(name.slice(0, -1)))
  return (words) => names.has(words) || beginnings.some((beginning) => words.startsWith(beginning))
}

/** How many header names a filter remembers, and the longest of them. */
const REMEMBERED_NAMES = 512
const REMEMBERED_LENGTH = 64

/** Response headers whose values add up instead of replacing each other. */
const ADDED_UP = new Set(['vary', 'set-cookie', 'link', 'via'])

/** RFC 9110 §7.6.1, and what its predecessors listed. Trailers are not passed on, so `trailer` goes with them. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/**
 * Names that go no further besides those that claim who asks or where from: the message's framing, its credentials, its trace, and what a browser
 * says of the page that asks. The gateway has judged that page already; a service behind it, with another Host, would take every page for a foreign one.
 */
const OWN = new Set([
  'host',
  'content-length',
  'authorization',
  'expect',
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
