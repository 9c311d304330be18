import { wordsOf } from '../../drivers/store/full-text-words.ts'
import type { SearchQuery } from './search-query.ts'

/** Characters of a word that count: PostgreSQL takes no lexeme of more than 2 046 bytes, and a character may have three. */
const MAX_WORD = 500
/** Words of a text, and places of one of them, that PostgreSQL counts. */
const MAX_PLACES = 16_383
const MAX_PLACES_OF_ONE = 255
/** Characters of all words together: a tsvector has less than a mebibyte. */
const MAX_VECTOR = 250_000
/** Among the words of a text whose vector doesn't say all about it: where they are, or how they end. No word is that. */
const INEXACT = '~'

/**
 * The words of a text with their places, as a tsvector's literal: letters and figures alone, which need no quotes.
 * They are the same as in SQLite's index (full-text-words.ts), so that both find the same.
 */
export function vectorOf(text: string): string {
  const words = wordList(text)
  if (isExact(words)) return words.map((word, at) => `${word}:${at + 1}`).join(' ')
  const different = [...new Set([INEXACT, ...words.map(cut)])].join(' ')
  return different.length <= MAX_VECTOR ? different : different.slice(0, different.lastIndexOf(' ', MAX_VECTOR))
}

/** What to ask of vectors, as literals of tsqueries. */
export interface VectorQuery {
  /** For the index: the words that are searched for, wherever they are. Empty when there are none. */
  readonly words: string
  /** For what has them, where that isn't enough: the phrases, or that its vector doesn't say all. */
  readonly phrases: string | undefined
  /** Set where a text may have to be looked at itself: when its vector has this. */
  readonly unsure: string | undefined
}

/** Makes what finds texts by their vectors. */
export function vectorQuery(query: SearchQuery): VectorQuery {
  const phrases = query.map(wordList).filter((words) => words.length > 0)
  const words = [...new Set(phrases.flat().map(cut))].join(' & ')
  // a longer word that begins so is the same to the index as one that is as long as it may be
  const isSure = phrases.every((words) => words.length === 1 && words.every((word) => word.length < MAX_WORD))
  const exact = phrases.map((words) => `(${words.map(cut).join(' <-> ')})`).join(' & ')
  return isSure
    ? { words, phrases: undefined, unsure: undefined }
    : { words, phrases: `(${exact}) | ${INEXACT}`, unsure: INEXACT }
}

function wordList(text: string): readonly string[] {
  return wordsOf(text).split(' ').filter(Boolean)
}

function isExact(words: readonly string[]): boolean {
  if (words.some((word) => word.length > MAX_WORD) || words.length > MAX_PLACES) return false
  if (words.length <= MAX_PLACES_OF_ONE) return true
  const places = new Map<string, number>()
  for (const word of words) places.set(word, (places.get(word) ?? 0) + 1)
  return Math.max(...places.values()) <= MAX_PLACES_OF_ONE && words.join(' ').length <= MAX_VECTOR
}

/** A word as the index has it. */
function cut(word: string): string {
  return word.length <= MAX_WORD ? word : word.slice(0, MAX_WORD).toWellFormed()
}
