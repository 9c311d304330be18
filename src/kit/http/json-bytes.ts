// bytes that tell the parts of a JSON text apart before it is parsed (RFC 8259 §2)

/** Between the lines of NDJSON, and a blank. */
export const NEWLINE = 0x0a
/** Around names and texts. */
export const QUOTE = 0x22
/** Before what is escaped in a text. */
export const BACKSLASH = 0x5c
/** Between items. */
export const COMMA = 0x2c
/** Between a name and its value. */
export const COLON = 0x3a
/** Before an array. */
export const OPEN_BRACKET = 0x5b
/** Behind an array. */
export const CLOSE_BRACKET = 0x5d
/** Before an object. */
export const OPEN_BRACE = 0x7b
/** Behind an object. */
export const CLOSE_BRACE = 0x7d

const TAB = 0x09
const RETURN = 0x0d
const SPACE = 0x20

/** Whether a byte is one of JSON's blanks. */
export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB
}
