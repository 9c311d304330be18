import { AppError } from './errors.ts'

/** Longest topic name or pattern, in bytes of UTF-8. */
export const MAX_TOPIC_BYTES = 255

// No path (`/`, `\`), no wildcard, no control character, no system prefix (`$`), no space: letters and digits of any script.
const WORD = '[\\p{L}\\p{M}\\p{N}_:-]+'
const NAME = new RegExp(`^${WORD}(?:\\.${WORD})*$`, 'u')
const PATTERN = new RegExp(`^(?:(?:${WORD}|\\*)\\.)*(?:${WORD}|\\*|>)$`, 'u')

/**
 * Checks the name of a topic to publish to: dot-separated words of letters, digits, `_`, `-` and `:`, at most 255 bytes.
 * Throws AppError `INVALID_REQUEST` for anything else: paths, wildcards, system names (`$…`), control characters, empty words.
 * @example checkTopicName('order.created')
 */
export function checkTopicName(name: string): string {
  if (NAME.test(name) && fits(name)) return name
  throw new AppError('INVALID_REQUEST', 'Invalid topic', {
    detail: `A topic is dot-separated words of letters, digits, "_", "-" and ":", at most ${MAX_TOPIC_BYTES} bytes, such as order.created`,
  })
}

/**
 * Checks a topic or pattern to subscribe to: as a name, and `*` may stand for one word, `>` at the end for the rest.
 * Throws AppError `INVALID_REQUEST`.
 * @example checkTopicPattern('order.*')
 */
export function checkTopicPattern(pattern: string): string {
  if (isTopicPattern(pattern)) return pattern
  throw new AppError('INVALID_REQUEST', 'Invalid topic', {
    detail: `A subscription's topic is dot-separated words, "*" for any one word, ">" at the end for the rest, at most ${MAX_TOPIC_BYTES} bytes`,
  })
}

/** Whether `checkTopicPattern` would let it pass. */
export function isTopicPattern(pattern: string): boolean {
  return PATTERN.test(pattern) && fits(pattern)
}

const fits = (name: string) => name.length * 3 <= MAX_TOPIC_BYTES || Buffer.byteLength(name) <= MAX_TOPIC_BYTES
