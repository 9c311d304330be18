import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EntryPage } from './contract.ts'
import { Retention, type RetentionLimits } from './retention.ts'
import { NOW, openLogServer } from './testing/running-log-server.ts'
import { onEachStore } from './testing/stores.ts'

const HOUR_MS = 3_600_000
const KEEP_ALL: RetentionLimits = { keepMs: 24 * HOUR_MS, maxEntries: 1e6, maxSpans: 1e6 }
const signal = new AbortController().signal

onEachStore((newPlace) => {
  let server: Awaited<ReturnType<typeof openLogServer>>
  const warnings: string[] = []

  beforeEach(async () => {
    warnings.length = 0
    server = await openLogServer(newPlace())
  })
  afterEach(() => server.close())

  function retention(limits: Partial<RetentionLimits>, more: object = {}) {
    const { store, storage, clock } = server
    const log = { warning: (message: string) => void warnings.push(message) }
    return new Retention({ store, ...storage, clock, log, limits: { ...KEEP_ALL, ...limits }, restMs: 0, ...more })
  }

  const hoursAgo = (hours: number) => new Date(NOW - hours * HOUR_MS).toISOString()
  const entries = (count: number, hours: number) =>
    Array.from({ length: count }, (_, i) => ({
      timestamp: hoursAgo(hours),
      level: 'INFO',
      service: 's',
      message: `${hours} hours ${i}`,
    }))
  const trace = (id: number, spans: number, hours: number) =>
    Array.from({ length: spans }, (_, i) => ({
      trace_id: id.toString(16).padStart(32, '0'),
      span_id: i.toString(16).padStart(16, '0'),
      service: 's',
      operation: 'o',
      start: hoursAgo(hours),
      duration_ms: 1,
    }))

  async function count(table: 'log_entries' | 'spans' | 'traces', where = sql`true`): Promise<number> {
    const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)} where ${where}`.execute(
      server.store.db,
    )
    return rows[0]?.n ?? -1
  }

  describe('Retention', () => {
    it('deletes old entries, from the index too', async () => {
      await server.post('/logs', [...entries(1_200, 30), ...entries(5, 1)])
      await retention({}).sweep(signal)
      expect(await count('log_entries')).toBe(5)
      const search = async (q: string) => EntryPage.parse(await server.get('/logs', { q })).entries.length
      expect(await search('30 hours')).toBe(0)
      expect(await search('1 hours')).toBe(5)
    })

    it('deletes the oldest entries when there are too many', async () => {
      await server.post('/logs', [...entries(700, 3), ...entries(700, 2), ...entries(100, 1)])
      await retention({ maxEntries: 750 }).sweep(signal)
      expect(await count('log_entries')).toBe(750)
      expect(await count('log_entries', sql`message like '3 hours%'`)).toBe(0)
    })

    it('deletes old traces whole', async () => {
      await server.post('/traces', [...trace(1, 1_200, 30), ...trace(2, 3, 1)])
      await retention({}).sweep(signal)
      expect([await count('traces'), await count('spans')]).toEqual([1, 3])
    })

    it('deletes the oldest traces when there are too many spans', async () => {
      const spans = Array.from({ length: 120 }, (_, i) => trace(i + 1, 10, (200 - i) / 100)).flat()
      await server.post('/traces', spans)
      await retention({ maxSpans: 600 }).sweep(signal)
      const left = await count('spans')
      expect(left).toBeLessThanOrEqual(600)
      expect(left).toBeGreaterThan(0)
      expect(await count('traces')).toBe(left / 10)
      expect((await server.app.request(`/traces/${(120).toString(16).padStart(32, '0')}`)).status).toBe(200)
    })

    it('leaves alone what is neither', async () => {
      await server.post('/logs', entries(10, 1))
      await server.post('/traces', trace(1, 10, 1))
      await retention({}).sweep(signal)
      expect([await count('log_entries'), await count('traces'), await count('spans')]).toEqual([10, 1, 10])
    })

    it('runs until it is told to stop, whatever goes wrong', async () => {
      const stop = new AbortController()
      const clock = {
        now() {
          stop.abort()
          throw new Error('no time')
        },
      }
      await retention({}, { clock }).run(stop.signal)
      await server.store.close()
      const later = new AbortController()
      const running = retention({}, { intervalMs: 1 }).run(later.signal)
      await expect.poll(() => warnings.length).toBeGreaterThan(1)
      later.abort()
      await running
    })
  })
})
