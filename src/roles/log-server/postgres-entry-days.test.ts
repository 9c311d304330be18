import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isHere } from '../../../test/servers/programs.ts'
import { EntryPage } from './contract.ts'
import { Retention } from './retention.ts'
import { NOW, openLogServer } from './testing/running-log-server.ts'
import { ownPostgres, type TestPlace } from './testing/stores.ts'

const DAY_MS = 86_400_000

describe.skipIf(!isHere('postgres'))('the partitions of entries', () => {
  const { newPlace } = ownPostgres()
  let place: TestPlace
  let server: Awaited<ReturnType<typeof openLogServer>>
  beforeEach(async () => {
    place = newPlace()
    server = await openLogServer(place)
  })
  afterEach(() => server.close())

  const entries = (daysAgo: number, count = 3) =>
    Array.from({ length: count }, (_, i) => ({
      timestamp: new Date(NOW - daysAgo * DAY_MS).toISOString(),
      level: 'INFO',
      service: 'shop',
      message: `${daysAgo} days ago ${i}`,
    }))
  const sweep = (limits: object) =>
    new Retention({
      store: server.store,
      ...server.storage,
      clock: server.clock,
      log: { warning: () => {} },
      limits: { keepMs: 7 * DAY_MS, maxEntries: 1e6, maxSpans: 1e6, ...limits },
      restMs: 0,
    }).sweep(new AbortController().signal)
  /** How many entries each partition has, by the end of its name. */
  async function partitions() {
    const { rows } = await sql<{ name: string }>`
      select relname as name from pg_inherits join pg_class on oid = inhrelid
      where inhparent = 'log_entries'::regclass order by 1`.execute(server.store.db)
    const counts: Record<string, number> = {}
    for (const { name } of rows) {
      const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(name)}`.execute(server.store.db)
      counts[name.replace('log_entries_', '')] = rows[0]?.n ?? -1
    }
    return counts
  }

  it('are made a day ahead, for a month back on demand, and for nothing else', async () => {
    await sweep({})
    expect(await partitions()).toEqual({ 20261122: 0, 20261123: 0, rest: 0 })
    await server.post('/logs', [...entries(0), ...entries(2), ...entries(30), ...entries(40), ...entries(20_000)])
    expect(await partitions()).toEqual({ 20261023: 3, 20261120: 3, 20261122: 3, 20261123: 0, rest: 6 })
    expect(EntryPage.parse(await server.get('/logs')).entries).toHaveLength(15)
  })

  it('go as a whole when a day is over for everybody, with what lies in the rest', async () => {
    await server.post('/logs', [...entries(0), ...entries(7), ...entries(8), ...entries(9), ...entries(50, 1_200)])
    await sweep({})
    expect(await partitions()).toEqual({ 20261115: 3, 20261122: 3, 20261123: 0, rest: 0 })
  })

  it('go as a whole when there are too many entries, the last one row by row', async () => {
    await server.post('/logs', [...entries(40, 10), ...entries(5, 1_000), ...entries(4, 1_000), ...entries(0, 10)])
    await sweep({ maxEntries: 500 })
    expect(await partitions()).toEqual({ 20261118: 490, 20261122: 10, 20261123: 0, rest: 0 })
  })

  it('are not made again for what comes late, at this log server nor at another', async () => {
    await server.post('/logs', entries(9))
    await sweep({})
    await server.post('/logs', entries(9))
    const other = await openLogServer(place)
    try {
      await other.post('/logs', entries(9))
      expect(await partitions()).toEqual({ 20261122: 0, 20261123: 0, rest: 6 })
    } finally {
      await other.close()
    }
    await sweep({})
    expect(EntryPage.parse(await server.get('/logs')).entries).toEqual([])
  })
})
