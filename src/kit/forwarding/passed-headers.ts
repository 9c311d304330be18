/** Passes headers on, in both directions, byte by byte as they came. */
export interface PassedHeaders {
  /**
   * The request's header lines for the upstream, each ending in CRLF, its Host first. Left out: hop-by-hop headers and those that Connection
   * names (RFC 9110 §7.6.1), the client's Host, what frames its message, and what the role keeps.
   * @param rawHeaders names and values by turns, as node:http gives them
   * @param authority the upstream's `host:port`
   */
  request(rawHeaders: readonly string[], authority: string): string
  /**
   * The response's headers for the client, less the hop-by-hop ones and those that whoever writes the answer sets.
   * @param own what is set, by lower-case name
   */
  response(rawHeaders: readonly string[], own: Readonly<Record<string, string>>): string[]
}

/**
 * Makes what passes headers. It remembers how each header name is to be treated, since a role sees the same few names all day; when made-up
 * names have filled the memory, it begins anew.
 * @param keeps whether a request's header goes no further, by its name and the words in it (`headerWords`)
 */
export function passedHeaders(keeps: (name: string, words: string) => boolean): PassedHeaders {
  const rules = new Map<string, NameRule>()

  function ruleOf(name: string): NameRule {
    const known = rules.get(name)
    if (known) return known
    const rule = nameRule(name, keeps)
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
    request(rawHeaders, authority) {
      const named = namedByConnection(rawHeaders)
      let lines = `host: ${authority}\r\n`
      for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
        const name = rawHeaders[at] ?? ''
        const rule = ruleOf(name)
        if (!rule.toUpstream || named?.has(rule.lower)) continue
        lines += `${name}: ${rawHeaders[at + 1]}\r\n`
      }
      return lines
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

/** A header's name as the words in it: lower case, `-` between them, whatever stood there. */
export function headerWords(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}

interface NameRule {
  readonly lower: string
  readonly toUpstream: boolean
  readonly toClient: boolean
}

function nameRule(name: string, keeps: (name: string, words: string) => boolean): NameRule {
  const lower = name.toLowerCase()
  const words = headerWords(name)
  // content_length and its like are nothing to this side, but may be the real thing to a server behind the upstream's door
  const kept = FRAMING.has(words) || HOP_BY_HOP.has(words) || keeps(name, words)
  return { lower, toUpstream: !kept, toClient: !HOP_BY_HOP.has(lower) }
}

/** How many header names are remembered, and the longest of them. */
const REMEMBERED_NAMES = 512
const REMEMBERED_LENGTH = 64

/** Response headers whose values add up instead of replacing each other. */
const ADDED_UP = new Set(['vary', 'set-cookie', 'link', 'via'])

/** Whom a request is for and how long its body is, which is said anew; and whether it is waited with, which is answered here. */
const FRAMING = new Set(['host', 'content-length', 'expect'])

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
