import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dialectOf } from '../../drivers/store/dialect.ts'
import { openStore } from '../../drivers/store/open.ts'
import { firstIdAt } from './entry-ids.ts'
import { type LogTables, logMigrations } from './tables.ts'
import { NOW, openLogServer, TRACE } from './testing/running-log-server.ts'
import { onEachStore, type TestPlace } from './testing/stores.ts'

const OLD_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

/** Fills a store as a log server of before OTLP did. */
async function fillOldStore(place: TestPlace, folder: string): Promise<void> {
  const { '003-details': _later, ...migrations } = logMigrations
  const store = await openStore<LogTables>({ ...place, folder, migrations })
  await store.transaction(async (trx) => {
    const words = dialectOf(trx).name === 'sqlite' ? {} : { words: 'old:1' }
    const entry = { id: firstIdAt(NOW - 1_000), at: NOW - 1_000, level: 1, service: 'shop', instance: '' }
    await trx
      .insertInto('log_entries')
      .values({ ...entry, message: 'old', trace_id: OLD_TRACE, span_id: null, metadata: '{"n":1}', ...words })
      .execute()
    await trx
      .insertInto('spans')
      .values({
        trace_id: OLD_TRACE,
        span_id: '00f067aa0ba902b7',
        parent_span_id: null,
        service: 'shop',
        operation: 'sell',
        kind: 'server',
        started_at: NOW,
        duration_ms: 1.5,
        failed: 0,
        tags: '{"a":1}',
      })
      .execute()
    await trx
      .insertInto('traces')
      .values({ trace_id: OLD_TRACE, started_at: NOW, ended_at: NOW + 1.5, failed: 0 })
      .execute()
  })
  await store.close()
}

onEachStore((newPlace) => {
  let server: Awaited<ReturnType<typeof openLogServer>>
  beforeAll(async () => {
    const place = newPlace()
    server = await openLogServer(place, (folder) => fillOldStore(place, folder))
  })
  afterAll(() => server.close())

  describe('a store of before OTLP', () => {
    it('gives what it had, as it was', async () => {
      expect(await server.get(`/traces/${OLD_TRACE}`)).toEqual({
        trace_id: OLD_TRACE,
        spans: [
          {
            span_id: '00f067aa0ba902b7',
            parent_span_id: null,
            service: 'shop',
            operation: 'sell',
            kind: 'server',
            start: '2026-11-22T12:00:00.000Z',
            duration_ms: 1.5,
            status: 'ok',
            tags: { a: 1 },
          },
        ],
      })
      expect(await server.get('/logs', { trace_id: OLD_TRACE })).toEqual({
        entries: [
          {
            id: expect.any(String),
            timestamp: '2026-11-22T11:59:59.000Z',
            level: 'INFO',
            service: 'shop',
            instance: '',
            message: 'old',
            trace_id: OLD_TRACE,
            metadata: { n: 1 },
          },
        ],
        next: null,
      })
    })
  })

  describe('what OTLP says besides', () => {
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'sh\0op\x10' } }] }
    const send = (path: string, body: unknown) => server.post(path, body, { 'content-type': 'application/json' })

    it('is kept of spans, whatever characters it has', async () => {
      const span = {
        traceId: TRACE,
        spanId: 'b7ad6b7169203331',
        name: 'n\0\x10',
        startTimeUnixNano: '1795348800000000001',
        endTimeUnixNano: '1795348800000000002',
        events: [{ timeUnixNano: '1795348800000000001', name: 'e\0\x10' }],
        attributes: [{ key: 'k\0', value: { stringValue: 'v\0\x10' } }],
      }
      const answer = await send('/v1/traces', { resourceSpans: [{ resource, scopeSpans: [{ spans: [span, span] }] }] })
      expect(await answer.json()).toEqual({})
      expect(await server.get(`/traces/${TRACE}`)).toMatchObject({
        spans: [
          {
            service: 'sh\0op\x10',
            operation: 'n\0\x10',
            tags: { 'k\0': 'v\0\x10' },
            start_unix_nano: '1795348800000000001',
            end_unix_nano: '1795348800000000002',
            events: [{ time_unix_nano: '1795348800000000001', name: 'e\0\x10' }],
            resource: { attributes: { 'service.name': 'sh\0op\x10' } },
          },
        ],
      })
      expect(await server.get('/traces', { service: 'sh\0op\x10' })).toMatchObject({ traces: [{ spans: 1 }] })
    })

    it('is kept of log records, which are found and followed like any other', async () => {
      const record = {
        timeUnixNano: '1795348800000000001',
        body: { intValue: '7' },
        eventName: 'e\0\x10',
        traceId: TRACE,
      }
      const body = { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 's' }, logRecords: [record] }] }] }
      expect(await (await send('/v1/logs', body)).json()).toEqual({})
      const kept = {
        service: 'sh\0op\x10',
        message: '7',
        body: 7,
        event_name: 'e\0\x10',
        time_unix_nano: '1795348800000000001',
        scope: { name: 's' },
      }
      expect(await server.get('/logs', { trace_id: TRACE })).toMatchObject({ entries: [kept] })
      expect(await server.get('/logs', { q: '7' })).toMatchObject({ entries: [kept] })
    })
  })
})
