import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isHere } from '../../../test/servers/programs.ts'
import type { Search } from './searches.ts'
import { readPage } from './stepped-read.ts'
import { NOW, openLogServer } from './testing/running-log-server.ts'
import { ownPostgres } from './testing/stores.ts'

const DAY_MS = 86_400_000

describe.skipIf(!isHere('postgres'))('a search of PostgreSQL', () => {
  const { newPlace } = ownPostgres()
  let server: Awaited<ReturnType<typeof openLogServer>>
  beforeAll(async () => {
    server = await openLogServer(newPlace())
    const lines = Array.from({ length: 9_000 }, (_, i) => ({
      level: 'INFO',
      service: 'shop',
      timestamp: new Date(NOW - 9_000 + i - (i < 100 ? 3 * DAY_MS : 0)).toISOString(),
      message: `${i === 0 || i === 200 ? 'late then early, odd and even' : `early then late ${i % 2 ? 'odd' : 'even'}`} ${i}`,
    }))
    await server.post('/logs', lines)
    const long = `${'x'.repeat(2_000)}1 ${'x'.repeat(2_000)}2`
    await server.post('/logs', {
      level: 'INFO',
      service: 'long',
      timestamp: new Date(NOW - 20 * DAY_MS),
      message: long,
    })
    // more words than a tsvector takes
    const hangul = Array.from({ length: 32_000 }, (_, i) => String.fromCodePoint(0xac00 + (i % 11_172), 0x20)).join('')
    await server.post('/logs', {
      level: 'INFO',
      service: 'long',
      timestamp: new Date(NOW - 21 * DAY_MS),
      message: hangul,
    })
  })
  afterAll(() => server.close())

  /** A search that has its time, and then no more. */
  function brief(turns: number): Search {
    let left = turns
    return { step: async (work) => (left-- > 0 ? work() : undefined) }
  }

  function read(phrases: readonly string[], from: number | undefined, turns: number, limit = 10) {
    const list = server.storage.entries.list({}, phrases, 0)
    return readPage(list, from ?? 0, limit, { search: brief(turns), clock: server.clock })
  }

  it.each([
    ['a phrase of words that all have', ['late then early'], 2],
    ['words that many have, and few together', ['odd', 'even'], 2],
    ['a word that one has', ['7777'], 1],
    ['a word that only earlier days have', ['99'], 1],
    ['a word and one that none has', ['early', 'nowhere'], 0],
    ['nothing but a mark', ['📸'], 0],
    ['a long word', [`${'x'.repeat(2_000)}2`], 1],
    ['a long word that begins like one', [`${'x'.repeat(2_000)}3`], 0],
    ['a word of a very long text', ['각'], 1],
  ])('looks for %s in steps, each of which ends', async (_, phrases, count) => {
    let from: number | undefined = Number.MAX_SAFE_INTEGER
    let found = 0
    for (let pages = 0; from !== undefined; pages++) {
      expect(pages).toBeLessThan(40)
      const page: Awaited<ReturnType<typeof read>> = await read(phrases, from, 1)
      found += page.rows.length
      from = page.next
    }
    expect(found).toBe(count)
    expect((await read(phrases, Number.MAX_SAFE_INTEGER, 100)).rows).toHaveLength(count)
  })

  it('asks the index for what is rare, instead of looking at all', async () => {
    const list = server.storage.entries.list({}, ['203'], 0)
    let found = 0
    let steps = 0
    for (let from: number | undefined = Number.MAX_SAFE_INTEGER; from !== undefined; steps++) {
      const page: Awaited<ReturnType<typeof list.step>> = await list.step(from, 500, 10)
      found += page.rows.length
      from = page.next
    }
    expect(found).toBe(1)
    // four of 500, and one for each day
    expect(steps).toBeLessThan(10)
  })
})
