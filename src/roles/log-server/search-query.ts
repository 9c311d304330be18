import { wordsOf } from '../../drivers/store/full-text-words.ts'

/** What is searched for: phrases that must all occur, each of one word or of several that follow each other. */
export type SearchQuery = readonly string[]

/** Words one search may look for: how common each of them is has to be found out. */
export const MAX_WORDS = 32

/** A quoted text or a run without spaces. */
const CHUNK = /"([^"]*)"?|[^\s"]+/g
/** What may hold a word: anything but bare ASCII punctuation. What exactly a word is, the index knows best. */
const SEARCHABLE = /[A-Za-z0-9\u0080-\u{10ffff}]/u
/** Words as the index splits them: letters, figures and private characters, with their marks. */
const WORD = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{Co}\p{Mn}]*/gu

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

/** The words a query looks for, each once, as they were typed. */
export function wordsIn(query: SearchQuery): readonly string[] {
  return [...new Set(query.flatMap((phrase) => phrase.match(WORD) ?? []))]
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
