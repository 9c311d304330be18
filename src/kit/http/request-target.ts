/** A dot segment in any spelling that a URL parser takes for one (WHATWG URL §4.1). */
const DOT_SEGMENT = /[/\\](?:\.|%2e){1,2}(?:[/\\]|$)/i

/**
 * Why no role serves a request target, whatever stands there; undefined for a path to be routed. Refused is what a URL parser on the way to
 * the routes would quietly read as another path or another host: dot segments, encoded or not, backslashes, and what is no path
 * (RFC 9112 §3.2), since a Host was checked and not the one in an absolute URL.
 * @param path the request target without its query, as it came
 * @example targetFault('/config/%2e%2e/x') // 'a dot segment'
 */
export function targetFault(path: string): string | undefined {
  if (!path.startsWith('/')) return 'no slash at its beginning'
  if (DOT_SEGMENT.test(path)) return 'a dot segment'
  return path.includes('\\') ? 'a backslash' : undefined
}
