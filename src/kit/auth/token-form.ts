import type { JWTHeaderParameters } from 'jose'

/** RFC 6749 §3.3: printable ASCII without space, quote and backslash. */
export const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

/** Longest token that is looked at, in characters (base64url: one byte each). */
export const MAX_TOKEN_LENGTH = 4096

/** Types of a JWT that says who asks (RFC 7519 §5.1, RFC 9068 §2.1), without their `application/`. */
const TYPES: readonly string[] = ['jwt', 'at+jwt']

/** U+FEFF in UTF-8, in base64url. */
const BYTE_ORDER_MARK = '77u_'

/**
 * Whether a text is a JWT in compact form (RFC 7515 §7.1): three parts of base64url, each in the one spelling that its bytes have, without
 * padding, blanks or stray bits, nor a byte order mark before the JSON (RFC 8259 §8.1). A token has one text then, for whoever remembers it by that.
 */
export function isCompact(token: string): boolean {
  const parts = token.split('.')
  if (parts.length !== 3 || parts.slice(0, 2).some((part) => part.startsWith(BYTE_ORDER_MARK))) return false
  return parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
}

/**
 * Why a token's header doesn't fit one that says who asks (RFC 8725 §3.11): made for another purpose, such as a logout token, or
 * speaking of more than a signature over claims.
 * @returns a reason to tell the caller; undefined when it fits
 */
export function headerFault({ typ, cty, b64, zip, crit }: JWTHeaderParameters): string | undefined {
  if (crit !== undefined) return 'it demands extensions (crit) that are not known here'
  if (cty !== undefined || b64 !== undefined || zip !== undefined) return 'it holds something else than claims'
  if (typ === undefined) return
  // RFC 7515 §4.1.9: a media type, whose "application/" may be left out
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : ''
  return TYPES.includes(type) ? undefined : 'it is of a type (typ) that does not say who asks'
}

/**
 * Whether the header or the claims name a member twice (RFC 7515 §4, RFC 7519 §4), of which another reader may believe the other one.
 * @param token one whose signature holds and whose JSON was read
 */
export function repeatsAName(token: string): boolean {
  return token.split('.', 2).some((part) => hasRepeatedName(Buffer.from(part, 'base64url').toString()))
}

/** Strings with the colon that makes one a name, and brackets: all that tells the names in JSON text apart. */
const TOKENS = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g

function hasRepeatedName(json: string): boolean {
  const open: Set<unknown>[] = []
  for (const [text, colon] of json.matchAll(TOKENS)) {
    if (text === '{' || text === '[') open.push(new Set())
    else if (text === '}' || text === ']') open.pop()
    else if (colon !== undefined) {
      // parsed, since escapes give one name several spellings
      const name: unknown = JSON.parse(text.slice(0, -colon.length))
      const names = open.at(-1)
      if (names?.has(name)) return true
      names?.add(name)
    }
  }
  return false
}
