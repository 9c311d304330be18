/**
 * What must not reach a terminal from a text that somebody else wrote: control characters (with ESC and its 8-bit relatives they move
 * the cursor, set titles, rewrite what stands there), line breaks of all kinds, invisible characters, among them those that turn
 * the direction of writing (CVE-2021-42574), and halves of surrogate pairs.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
/** What needs no looking at. */
export const PLAIN = /^[\x20-\x7e]*$/
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** A text as it can be printed in the middle of a line: what is hidden in it becomes `\n` or `\u001b`, in letters. */
export function visibleText(text: string): string {
  if (PLAIN.test(text)) return text
  return text.replace(HIDDEN, (character) => SHORT[character] ?? escapeOf(character))
}

/**
 * A value as one line of JSON that a terminal may be given: what is hidden in its texts is escaped as JSON escapes it, so that a program reads
 * the same value. `JSON.stringify` by itself escapes only what stands below U+0020.
 */
export function visibleJson(value: unknown): string {
  const json = JSON.stringify(value)
  return PLAIN.test(json) ? json : json.replace(HIDDEN, jsonEscapeOf)
}

function jsonEscapeOf(character: string): string {
  return Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at))}`).join('')
}

function hex(unit: number): string {
  return unit.toString(16).padStart(4, '0')
}

function escapeOf(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
}
