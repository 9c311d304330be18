import { eastAsianWidth } from 'get-east-asian-width'

/**
 * What must not reach a terminal from a text that somebody else wrote: control characters (with ESC and its 8-bit relatives they move
 * the cursor, set titles, rewrite what stands there), line breaks of all kinds, invisible characters, among them those that turn
 * the direction of writing (CVE-2021-42574), and halves of surrogate pairs.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const PLAIN = /^[\x20-\x7e]*$/
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

/** What is drawn as one emoji, whatever it is put together from. It takes 30 ms to compile, so what is one UTF-16 unit isn't asked. */
const EMOJI = /^(?:\p{RGI_Emoji}|\p{Regional_Indicator}{1,2})/v
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}]+$/u

/** Columns that a visible text takes on a terminal: two for East Asian characters and emoji, none for accents that stand alone. */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemes(text)) width += widthOf(segment)
  return width
}

/** A visible text within so many columns, an ellipsis at its end when it was longer. */
export function fitWidth(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  if (columns < 1) return ''
  let width = 1
  let kept = ''
  for (const { segment } of graphemes(text)) {
    width += widthOf(segment)
    if (width > columns) break
    kept += segment
  }
  return `${kept}…`
}

/** A visible text in exactly so many columns. */
export function padWidth(text: string, columns: number): string {
  const fitted = fitWidth(text, columns)
  return fitted + ' '.repeat(Math.max(0, columns - textWidth(fitted)))
}

let segmenter: Intl.Segmenter | undefined

/** What a person sees as one character each. The segmenter takes 11 ms to make, so it is made when first needed. */
function graphemes(text: string): Iterable<Intl.SegmentData> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return segmenter.segment(text)
}

function widthOf(grapheme: string): number {
  if (ZERO_WIDTH.test(grapheme)) return 0
  return grapheme.length > 1 && EMOJI.test(grapheme) ? 2 : eastAsianWidth(grapheme.codePointAt(0) ?? 0)
}
