/** What may not stand in a header as it is: all but printable ASCII, and space, `"` and `%` (CloudEvents HTTP binding 3.1.3.2). */
const UNSAFE = /[^!#$&-~]+/gu
const SAFE = /^[!#$&-~]*$/

/**
 * A text as a header value may hold it, whatever its characters: the unsafe ones percent-encoded as UTF-8. `%` is one of them, so that
 * decoding is exact.
 * @example encodeHeaderText('Zoë') // 'Zo%C3%AB'
 */
export function encodeHeaderText(text: string): string {
  return SAFE.test(text) ? text : text.toWellFormed().replace(UNSAFE, encodeURIComponent)
}
