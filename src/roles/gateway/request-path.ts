/** A request target that may be routed. */
export interface RequestPath {
  /** Exactly as the client sent it: what the upstream gets. */
  readonly path: string
  /** Percent-decoded, as servers read it: what routes are found by, so that no spelling of a path leads past the route that guards it. */
  readonly meant: string
  /** With its `?`; empty when there is none. */
  readonly query: string
}

/** A request target that is answered 400, and why. */
export interface RefusedTarget {
  readonly refused: string
}

/**
 * Splits a request target into path and query, or refuses it. Nothing is rewritten on its way to the upstream. Refused is every spelling that some server would read as another path
 * (RFC 3986 §6, RFC 9110 §17.10): absolute and asterisk form, empty segments such as `//host`, `.` and `..` segments, `;` parameters,
 * `\`, and percent-encoded `/`, `\`, `;`, `%` and control characters, plain or in overlong or look-alike Unicode.
 * @param target the request target of the request line
 * @example parseRequestTarget('/api/users?limit=2') // { path: '/api/users', meant: '/api/users', query: '?limit=2' }
 * @example parseRequestTarget('/api/%2e%2e/admin')  // { refused: 'a dot segment' }
 */
export function parseRequestTarget(target: string): RequestPath | RefusedTarget {
  if (target.charCodeAt(0) !== SLASH) return { refused: 'no single slash at its beginning' }
  let end = target.length
  let encoded = false
  let dotted = false
  for (let at = 1; at < end; at++) {
    const unit = target.charCodeAt(at)
    const kind = unit < 128 ? (KINDS[unit] ?? REFUSED) : REFUSED
    if (kind === PLAIN) continue
    if (kind === REFUSED) return { refused: 'a character that must be percent-encoded' }
    if (unit === QUESTION_MARK) end = at
    else if (unit === PERCENT) encoded = true
    else if (target.charCodeAt(at - 1) === SLASH) {
      if (unit === SLASH) return { refused: 'an empty segment' }
      dotted = true
    }
  }
  if (end < target.length && !isQuery(target, end)) return { refused: 'a character that must be percent-encoded' }
  const path = end === target.length ? target : target.slice(0, end)
  const fault = (dotted || encoded) && (encoded ? faultOfEncoded(path) : faultOfSegments(path))
  if (fault) return { refused: fault }
  const meant = encoded ? decodeURIComponent(path) : path
  return { path, meant, query: end === target.length ? '' : target.slice(end) }
}

/** The query is the upstream's business, save for bytes that no request target may hold. */
function isQuery(target: string, from: number): boolean {
  for (let at = from; at < target.length; at++) {
    const unit = target.charCodeAt(at)
    if (unit <= SPACE || unit >= DELETE || unit === HASH) return false
  }
  return true
}

const FORBIDDEN_ENCODED = /%(?:[01][0-9a-f]|7f|2f|5c|3b|25)/i
const MALFORMED_ENCODED = /%(?![0-9a-f]{2})/i
const FORBIDDEN_DECODED = /[\p{Cc}\\;%]/u

function faultOfEncoded(path: string): string | undefined {
  if (MALFORMED_ENCODED.test(path)) return 'a malformed percent-encoding'
  if (FORBIDDEN_ENCODED.test(path)) return 'a percent-encoded delimiter or control character'
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return 'a percent-encoding that is not UTF-8'
  }
  // compatibility forms such as U+FF0E and U+2025 turn into dots, U+2100 into a/c, on servers that normalise
  const normal = decoded.normalize('NFKC')
  if (FORBIDDEN_DECODED.test(normal) || countSlashes(normal) !== countSlashes(path)) {
    return 'a percent-encoded delimiter or control character'
  }
  return faultOfSegments(normal)
}

function faultOfSegments(path: string): string | undefined {
  return path.split('/').some((segment) => segment === '.' || segment === '..') ? 'a dot segment' : undefined
}

function countSlashes(text: string): number {
  return text.split('/').length
}

const SPACE = 0x20
const HASH = 0x23
const PERCENT = 0x25
const SLASH = 0x2f
const QUESTION_MARK = 0x3f
const DELETE = 0x7f

const REFUSED = 0
const PLAIN = 1
const SPECIAL = 2

/** What each ASCII character means in a path: looked up instead of compared, since this runs for every byte of every request. */
const KINDS = Uint8Array.from({ length: 128 }, (_, unit) => {
  if (unit <= SPACE || unit === DELETE || '\\;#'.includes(String.fromCharCode(unit))) return REFUSED
  return '/.%?'.includes(String.fromCharCode(unit)) ? SPECIAL : PLAIN
})
