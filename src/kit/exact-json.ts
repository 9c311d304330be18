/** A number kept as it was written, since a double would not hold it: `JSON.stringify` writes it to the letter, and no schema takes it for a number. */
export interface RawNumber {
  readonly rawJSON: string
}

declare global {
  /** ECMAScript's JSON.parse source text access, which TypeScript's library doesn't know yet. */
  interface JSON {
    rawJSON(text: string): RawNumber
    isRawJSON(value: unknown): value is RawNumber
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown
  }
}

/** Digits that every double holds (IEEE 754 binary64). */
const SAFE_DIGITS = 15

/**
 * `JSON.parse`, but for numbers that a double doesn't hold as they are written (9007199254740993, 1e400): these are RawNumbers. What only carries
 * them loses nothing, and a schema that wants a number refuses them. Throws SyntaxError.
 */
export function parseExact(text: string): unknown {
  if (!mayLoseDigits(text)) return JSON.parse(text)
  return JSON.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && !isSameNumber(source, String(value))
      ? JSON.rawJSON(source)
      : value,
  )
}

/** The same for what is only shown or written again: every number that JSON would write in other letters (1.0, 1e3, -0) is a RawNumber. Throws SyntaxError. */
export function parseLiteral(text: string): unknown {
  return JSON.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && (source === '-0' || source !== String(value))
      ? JSON.rawJSON(source)
      : value,
  )
}

/** Why a value isn't a number that can be reckoned with; for schemas' `safeParse`. */
export const NUMBERS_IN_WORDS = {
  error: ({ input }: { readonly input?: unknown }) =>
    JSON.isRawJSON(input) ? 'a number too large or too exact to be kept' : undefined,
}

/**
 * The members of a JSON object by name, each to the letter but without white space between its parts. Of several of one name the last one counts, as in
 * JSON.parse.
 * @param text a well-formed JSON object
 * @example membersOf('{"a": 1.0, "b": [1, 2]}') // Map { 'a' => '1.0', 'b' => '[1,2]' }
 */
export function membersOf(text: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>()
  eachMember(compactJson(text), (name, value) => members.set(JSON.parse(name), value))
  return members
}

/** One of these; undefined when there is none of that name. @param name letters, digits and `_` */
export function memberOf(text: string, name: string): string | undefined {
  const quoted = `"${name}"`
  let found: string | undefined
  eachMember(compactJson(text), (other, value) => {
    if (other === quoted || (other.includes('\\') && JSON.parse(other) === name)) found = value
  })
  return found
}

function eachMember(json: string, take: (name: string, value: string) => void): void {
  for (let at = 1; at < json.length - 1; at++) {
    const colon = endOfValue(json, at)
    const end = endOfValue(json, colon + 1)
    take(json.slice(at, colon), json.slice(colon + 1, end))
    at = end
  }
}

/** JSON without white space between its parts, else to the letter. @param text well-formed JSON */
export function compactJson(text: string): string {
  if (!/[\t\n\r ]/.test(text)) return text
  let json = ''
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit <= SPACE) {
      json += text.slice(from, at)
      from = at + 1
    }
  }
  return json + text.slice(from)
}

/** Whether some number has so many digits, or such an exponent, that a double may not hold it. */
function mayLoseDigits(text: string): boolean {
  let digits = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit >= ZERO && unit <= NINE) {
      if (++digits > SAFE_DIGITS) return true
    } else if (unit === LOWER_E || unit === UPPER_E) {
      if (digits > 0) return true
    } else if (unit !== POINT) digits = 0
  }
  return false
}

function isSameNumber(one: string, other: string): boolean {
  return one === other || plain(one) === plain(other)
}

/** A decimal number in one form for each value: its digits without zeros around them, and the exponent of the last one. */
function plain(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = withoutZerosBehind(digits)
  if (significant === '') return whole === '' ? number : '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}

/** A pattern for them would begin anew at each zero within. */
function withoutZerosBehind(digits: string): string {
  let end = digits.length
  while (digits.charCodeAt(end - 1) === ZERO) end--
  return digits.slice(0, end)
}

/** Where the value that begins here ends, in JSON without white space. */
function endOfValue(json: string, from: number): number {
  let depth = 0
  for (let at = from; at < json.length; at++) {
    const unit = json.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(json, at)
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) depth++
    else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
      if (--depth < 0) return at
    } else if ((unit === COMMA || unit === COLON) && depth === 0) return at
  }
  return json.length
}

/** Where the closing quote of the string that begins here stands; the end of the text where there is none. @param from where its opening quote stands */
export function endOfString(text: string, from: number): number {
  let at = text.indexOf('"', from + 1)
  while (at > 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at < 0 ? text.length : at
}

/** Whether an odd number of backslashes stands before: each of them escapes the next one. */
function isEscaped(text: string, at: number): boolean {
  let from = at
  while (text.charCodeAt(from - 1) === BACKSLASH) from--
  return (at - from) % 2 === 1
}

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const UPPER_E = 0x45
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const LOWER_E = 0x65
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
