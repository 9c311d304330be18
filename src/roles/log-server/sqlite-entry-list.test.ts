import { afterAll, beforeAll, expect, it } from 'vitest'
import { firstIdAt } from './entry-ids.ts'
import type { Search } from './searches.ts'
import { readPage } from './stepped-read.ts'
import { NOW, openLogServer } from './testing/running-log-server.ts'

let server: Awaited<ReturnType<typeof openLogServer>>
beforeAll(async () => {
  server = await openLogServer()
  const lines = Array.from({ length: 4_000 }, (_, i) => ({
    level: 'INFO',
    service: 'shop',
    timestamp: new Date(NOW - 4_000 + i).toISOString(),
    message: i === 0 ? 'late then early, odd and even' : `early then late ${i % 2 ? 'odd' : 'even'}`,
  }))
  await server.post('/logs', lines)
})
afterAll(() => server.close())

/** A search that has its time, and then no more. */
function brief(turns: number): Search {
  let left = turns
  return { step: async (work) => (left-- > 0 ? work() : undefined) }
}

it.each([
  ['a phrase of words that all have', ['late then early']],
  ['words that many have, and few together', ['odd', 'even']],
])('looks for %s in steps, each of which ends', async (_, phrases) => {
  const list = server.storage.entries.list({}, phrases, 0)
  const { clock } = server
  const first = await readPage(list, Number.MAX_SAFE_INTEGER, 10, { search: brief(1), clock })
  expect(first.rows).toEqual([])
  expect(first.next).toBeGreaterThan(firstIdAt(NOW - 4_000))
  const { rows } = await readPage(list, first.next ?? 0, 10, { search: brief(100), clock })
  expect(rows).toHaveLength(1)
})

it('goes through what has the scarcest word alone', async () => {
  const list = server.storage.entries.list({}, ['early', 'and'], 0)
  const page = await readPage(list, Number.MAX_SAFE_INTEGER, 10, { search: brief(1), clock: server.clock })
  expect(page).toEqual({ rows: [[expect.any(Number), 29]], next: undefined })
})
