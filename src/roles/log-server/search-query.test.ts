import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { phraseTest, wordsOf } from '../../drivers/store/full-text-words.ts'
import { countWords, parseSearch, searchMatcher, wordsIn } from './search-query.ts'

const database = new DatabaseSync(':memory:')
database.exec(`create virtual table entries using fts5(text, tokenize = 'unicode61 remove_diacritics 2')`)
const insert = database.prepare('insert into entries (rowid, text) values (1, ?)')
const match = database.prepare('select rowid from entries where entries match ?')
afterAll(() => database.close())

function found(search: string, text: string): boolean {
  database.exec('delete from entries')
  insert.run(text)
  const phrases = parseSearch(search)
  return phrases.length > 0 && match.all(phrases.map((phrase) => `"${phrase}"`).join(' ')).length === 1
}

const hasPhrases = phraseTest(wordsOf)

describe('parseSearch', () => {
  it.each([
    ['refused', ['refused']],
    ['connection  refused', ['connection', 'refused']],
    ['"connection refused" x', ['connection refused', 'x']],
    ['"never closed', ['never closed']],
    ['order.created', ['order.created']],
    ['a AND NOT b*', ['a', 'AND', 'NOT', 'b*']],
    ["'; DROP TABLE spans; --", ['DROP', 'TABLE', 'spans;']],
    ['nul\0byte', ['nul', 'byte']],
    ['*** "" --', []],
    ['', []],
  ])('reads %s', (text, phrases) => {
    expect(parseSearch(text)).toEqual(phrases)
  })
})

describe('countWords', () => {
  it.each([
    ['', 0],
    ['one two', 2],
    ['"one two" three', 3],
    ['order-service order_id:17', 5],
    ['📸', 1],
  ])('counts %s', (text, count) => {
    expect(countWords(parseSearch(text))).toBe(count)
  })
})

describe('a search of the index', () => {
  const text = 'Connection to order-service refused: {"order_id":17,"café":"Zürich"}'

  it.each([
    'refused',
    'REFUSED connection',
    'order-service',
    '"order service refused"',
    'order_id:17',
    'order_id',
    'cafe zurich',
    'CAFÉ',
    'refused: &',
  ])('finds by %s', (search) => {
    expect(found(search, text)).toBe(true)
  })

  it.each(['refuse', 'order_id:1', '"refused connection"', 'refused AND order', 'text:refused', '***'])(
    'does not find by %s',
    (search) => {
      expect(found(search, text)).toBe(false)
    },
  )

  it('is valid for any text', () => {
    const hostile = fc.string({
      unit: fc.constantFrom('"', "'", '*', '(', ')', ':', '^', '-', '+', 'a', ' ', 'NEAR', '\0'),
    })
    const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), hostile)
    fc.assert(
      fc.property(anything, (search) => void found(search, 'some text')),
      { numRuns: 2_000 },
    )
  })

  const character = fc.constantFrom(...'aZ09_-.:"*() éÜñжЖЭ日本語한글ελΣ📸\n')

  it('finds a text by any of its words', () => {
    const property = fc.property(fc.string({ unit: character, maxLength: 40 }), (words) => {
      fc.pre(/[\p{L}\p{N}]/u.test(words))
      expect(found(words, words)).toBe(true)
    })
    fc.assert(property, { numRuns: 500 })
  })
})

describe('what looks for phrases in a text', () => {
  it('agrees with the index', () => {
    const word = fc.constantFrom('order', 'Order', 'created', 'créé', '17', 'id', 'x')
    const mark = fc.constantFrom(' ', ' ', '-', '.', '"', ': ', '_', '\n')
    const phrase = fc.array(fc.oneof(word, mark), { maxLength: 12 }).map((parts) => parts.join(''))
    const property = fc.property(phrase, phrase, (search, text) => {
      const query = parseSearch(search)
      const expected = found(search, text)
      expect(searchMatcher(query)(wordsOf(text))).toBe(expected)
      if (wordsIn(query).length > 0) expect(hasPhrases(text, JSON.stringify(query))).toBe(expected ? 1 : 0)
    })
    fc.assert(property, { numRuns: 1_000 })
  })
})
