/** What needs no looking at: printable ASCII. */
const PRINTABLE = /^[ -~]*$/
const CONTROL = /\p{Cc}/u
const CONTROLS = /[^\P{Cc}\n\t]/gu

const BELL = 0x07
const ESCAPE = 0x1b
const BACKSLASH = 0x5c
/** The 8-bit forms of `ESC [` and of what ends a string (ECMA-48 §8.3). */
const CSI = 0x9b
const STRING_TERMINATOR = 0x9c

/**
 * A text as a log keeps it: colours and other escape sequences (ECMA-48) are taken out; every other control character but line breaks and tabs is written
 * in letters, so that it does nothing wherever the text is shown. Takes time in proportion to the text.
 * @example plainText('\u001b[31mred\u001b[39m\u0007') // 'red\\u0007'
 */
export function plainText(text: string): string {
  if (PRINTABLE.test(text) || !CONTROL.test(text)) return text
  return withoutSequences(text).replace(CONTROLS, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function withoutSequences(text: string): string {
  let plain = ''
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit !== ESCAPE && unit !== CSI) continue
    plain += text.slice(from, at)
    from = unit === CSI ? endOfControl(text, at + 1) : endOfSequence(text, at + 1)
    at = from - 1
  }
  return from === 0 ? text : plain + text.slice(from)
}

/** Where the sequence ends whose ESC stands before `at`. */
function endOfSequence(text: string, at: number): number {
  const kind = text[at]
  if (kind === '[') return endOfControl(text, at + 1)
  if (kind === ']' || kind === 'P' || kind === 'X' || kind === '^' || kind === '_') return endOfString(text, at + 1)
  const last = skip(text, at, 0x20, 0x2f)
  return isWithin(text.charCodeAt(last), 0x30, 0x7e) ? last + 1 : last
}

/** Of `ESC [` parameters, intermediates and a final character (ECMA-48 §5.4). */
function endOfControl(text: string, at: number): number {
  const last = skip(text, skip(text, at, 0x30, 0x3f), 0x20, 0x2f)
  return isWithin(text.charCodeAt(last), 0x40, 0x7e) ? last + 1 : last
}

/** Of a title, a link or the like. One without an end is no sequence: what follows is text. */
function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === BELL || unit === STRING_TERMINATOR) return at + 1
    if (unit === ESCAPE) return text.charCodeAt(at + 1) === BACKSLASH ? at + 2 : from
  }
  return from
}

function skip(text: string, from: number, lowest: number, highest: number): number {
  let at = from
  while (isWithin(text.charCodeAt(at), lowest, highest)) at++
  return at
}

const isWithin = (unit: number, lowest: number, highest: number) => unit >= lowest && unit <= highest
