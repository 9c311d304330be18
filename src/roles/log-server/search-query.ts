/** What is searched for: phrases that must all occur, each of one word or of several that follow each other. */
export type SearchQuery = readonly string[]

/** Words one search may look for: each costs a walk through all that hold it. */
export const MAX_WORDS = 32

/** A quoted text or a run without spaces. */
const CHUNK = /"([^"]*)"?|[^\s"]+/g
/** What may hold a word: anything but bare ASCII punctuation. What exactly a word is, the index knows best. */
const SEARCHABLE = /[A-Za-z0-9\u0080-\u{10ffff}]/u
/** Words as the index splits them: letters, figures and private characters, with their marks. */
const WORD = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{Co}\p{Mn}]*/gu

/** What stands between words in a text that is all ASCII. */
const BETWEEN_ASCII = /[^a-z0-9]+/g
const BEYOND_ASCII = /[^\0-\x7f]/

/**
 * Reads what someone typed into a search box. Words are separated by spaces; quotes, and punctuation within a word, hold
 * words together. Nothing is an operator: AND, NEAR, `*`, `-` and SQL are text like any other.
 * @example parseSearch('refused "order 17" order_id:17') // ['refused', 'order 17', 'order_id:17']
 */
export function parseSearch(text: string): SearchQuery {
  const phrases: string[] = []
  for (const [run, quoted] of text.toWellFormed().replaceAll('\0', ' ').matchAll(CHUNK)) {
    const phrase = quoted ?? run
    if (SEARCHABLE.test(phrase)) phrases.push(phrase)
  }
  return phrases
}

/**
 * The query as an FTS5 expression: quoted phrases side by side, which all have to match. FTS5 splits a phrase into words as it split the
 * text, and knows no operators within quotes. Undefined when there is nothing to look for.
 * @see https://sqlite.org/fts5.html#full_text_query_syntax
 */
export function toMatchExpression(query: SearchQuery): string | undefined {
  return query.length === 0 ? undefined : query.map((phrase) => `"${phrase}"`).join(' ')
}

/** How many words a query looks for; a phrase counts for one at least. */
export function countWords(query: SearchQuery): number {
  return query.reduce((sum, phrase) => sum + Math.max(1, phrase.match(WORD)?.length ?? 0), 0)
}

/**
 * Makes what says whether the query fits a text on its way: what the index does for those it holds.
 * @example searchMatcher(parseSearch('refused'))(wordsOf('Connection refused')) // true
 */
export function searchMatcher(query: SearchQuery): (words: string) => boolean {
  const phrases = query.map(wordsOf)
  return (words) => phrases.length > 0 && phrases.every((phrase) => words.includes(phrase))
}

/** The words of a text, a space on each side of each, without capitals and accents (`remove_diacritics`). */
export function wordsOf(text: string): string {
  // most are, and these take a third of the time
  if (!BEYOND_ASCII.test(text)) return ` ${text.toLowerCase().replaceAll(BETWEEN_ASCII, ' ').trim()} `
  const words = text.match(WORD) ?? []
  return ` ${words
    .join(' ')
    .toLowerCase()
    .normalize('NFD')
    .replaceAll(/\p{Mn}/gu, '')} `
}
