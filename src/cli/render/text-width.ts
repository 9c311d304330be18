import { eastAsianWidth } from 'get-east-asian-width'
import { PLAIN } from './visible-text.ts'

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

let emoji: RegExp | undefined
let zeroWidth: RegExp | undefined

function widthOf(grapheme: string): number {
  zeroWidth ??= /^[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}]+$/u
  if (zeroWidth.test(grapheme)) return 0
  return grapheme.length > 1 && isEmoji(grapheme) ? 2 : eastAsianWidth(grapheme.codePointAt(0) ?? 0)
}

/** Whether it is drawn as one emoji, whatever it is put together from. The pattern takes 30 ms to compile, so what is one UTF-16 unit isn't asked. */
function isEmoji(grapheme: string): boolean {
  emoji ??= /^(?:\p{RGI_Emoji}|\p{Regional_Indicator}{1,2})/v
  return emoji.test(grapheme)
}
