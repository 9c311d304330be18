import type { IncomingMessage } from 'node:http'

/** Why a request's framing is refused; the connection is closed after the answer, since nobody can say where it ends. */
export interface FramingFault {
  readonly status: 400 | 501
  readonly reason: string
}

/**
 * Checks what node's strict parser (llhttp) lets through though servers disagree about it (RFC 9112 §3.2, §6.1, §6.3). Two lengths,
 * a length beside Transfer-Encoding, signs, obs-fold, bare LF and bad chunks never come this far: the parser answers those
 * 400 itself, as framing.test.ts holds.
 * @returns undefined when the request is framed well: HTTP/1.1 with one valid Host, or HTTP/1.0; no Transfer-Encoding but `chunked`
 */
export function framingFault(
  request: Pick<IncomingMessage, 'httpVersion' | 'rawHeaders' | 'headers'>,
): FramingFault | undefined {
  const { httpVersion, rawHeaders, headers } = request
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return NOT_HTTP_1
  const host = headers.host
  if (host === undefined ? httpVersion === '1.1' : !AUTHORITY.test(host)) return BAD_HOST
  if (host !== undefined && countHosts(rawHeaders) > 1) return TWO_HOSTS
  const encoding = headers['transfer-encoding']
  if (encoding === undefined || (encoding === 'chunked' && httpVersion === '1.1')) return undefined
  return faultOfEncoding(encoding, httpVersion)
}

/** RFC 9110 §7.2: `uri-host [ ":" port ]`, without userinfo, paths or lists; a port may be empty (RFC 3986 §3.2.3), and is 65535 at most. */
const AUTHORITY =
  /^(?:[\w.~%-]+|\[[0-9a-f:.]+\])(?::(?:\d{0,4}|[0-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?$/i
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}

/** A list of codings that ends in `chunked` is well-formed but not understood here; anything else has no defined end. */
const KNOWN_CODINGS =
  /^(?:(?:x-)?gzip|(?:x-)?compress|deflate)(?:[ \t]*,[ \t]*(?:(?:x-)?gzip|(?:x-)?compress|deflate))*[ \t]*,[ \t]*chunked$/i

function faultOfEncoding(encoding: string, httpVersion: string): FramingFault | undefined {
  if (httpVersion === '1.0') return CODING_IN_HTTP_1_0
  if (encoding.toLowerCase() === 'chunked') return undefined
  return KNOWN_CODINGS.test(encoding) ? CODING_NOT_IMPLEMENTED : BAD_CODING
}

const NOT_HTTP_1: FramingFault = { status: 400, reason: 'The request is neither HTTP/1.1 nor HTTP/1.0' }
const BAD_HOST: FramingFault = { status: 400, reason: 'The Host header is missing or not a host' }
const TWO_HOSTS: FramingFault = { status: 400, reason: 'The request has more than one Host header' }
const BAD_CODING: FramingFault = { status: 400, reason: 'The Transfer-Encoding is not valid' }
const CODING_IN_HTTP_1_0: FramingFault = { status: 400, reason: 'HTTP/1.0 has no Transfer-Encoding' }
const CODING_NOT_IMPLEMENTED: FramingFault = {
  status: 501,
  reason: 'Only the transfer coding "chunked" is implemented',
}
