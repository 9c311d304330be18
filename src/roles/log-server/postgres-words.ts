import { wordsOf } from '../../drivers/store/full-text-words.ts'

/** Characters of a word that count: PostgreSQL takes no lexeme of more than 2 046 bytes, and a character may have three. */
const MAX_WORD = 500
/** Characters of all words together: a tsvector has less than a mebibyte. */
const MAX_WORDS = 250_000

/** The text an entry is found by: its message and its metadata, whose JSON escapes become spaces, as in SQLite (sqlite-entry-tables.ts). */
export function searchableText(message: string, metadata: string | null): string {
  if (metadata === null) return `${message} `
  return `${message} ${metadata.includes('\\') ? withoutEscapes(metadata) : metadata}`
}

function withoutEscapes(json: string): string {
  return ['\\\\', '\\n', '\\r', '\\t'].reduce((text, escaped) => text.replaceAll(escaped, ' '), json)
}

/**
 * The words of a text as a tsvector's literal, without positions: letters and figures alone, which need no quotes.
 * They are the same as in SQLite's index (full-text-words.ts), so that both find the same.
 */
export function vectorOf(text: string): string {
  const words = wordsOf(text)
  if (words.length <= MAX_WORD) return words
  const different = [...new Set(words.split(' ').map(cut))].join(' ')
  return different.length <= MAX_WORDS ? different : different.slice(0, different.lastIndexOf(' ', MAX_WORDS))
}

/** A word as the index has it. */
export function cut(word: string): string {
  return word.length <= MAX_WORD ? word : word.slice(0, MAX_WORD).toWellFormed()
}
