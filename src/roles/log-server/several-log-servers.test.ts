import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isHere } from '../../../test/servers/programs.ts'
import { EventParser, type ReceivedEvent } from '../../kit/http/event-parser.ts'
import { EntryPage, Trace, TracePage } from './contract.ts'
import { Retention } from './retention.ts'
import { NOW, openLogServer, TRACE } from './testing/running-log-server.ts'
import { ownPostgres } from './testing/stores.ts'

type Server = Awaited<ReturnType<typeof openLogServer>>

const entry = (message: string, more: object = {}) => ({
  timestamp: new Date(NOW).toISOString(),
  level: 'INFO',
  service: 'shop',
  message,
  ...more,
})

describe.skipIf(!isHere('postgres'))('two log servers with one PostgreSQL', () => {
  const { newPlace } = ownPostgres()
  let one: Server
  let two: Server
  beforeEach(async () => {
    const place = newPlace()
    ;[one, two] = await Promise.all([openLogServer(place), openLogServer(place)])
  })
  afterEach(async () => {
    await one.close()
    await two.close()
  })

  /** Follows the log of a server; `until` reads events until one says so. */
  async function follow(server: Server, id?: string) {
    const headers = id === undefined ? {} : { 'Last-Event-ID': id }
    const answer = await server.app.request('/logs/tail', { headers })
    expect(answer.status).toBe(200)
    const received: ReceivedEvent[] = []
    const parser = new EventParser((event) => received.push(event), 1_000_000)
    const reader = answer.body?.getReader()
    return {
      received,
      messages: () => received.map(({ data }) => JSON.parse(data).message),
      async until(count: number) {
        while (received.length < count) {
          const { value, done } = (await reader?.read()) ?? { done: true }
          if (done) throw new Error('the stream has ended')
          parser.push(value)
        }
      },
      end: () => reader?.cancel(),
    }
  }

  it('find what either took, each entry once, however many come at the same moment', async () => {
    const batches = Array.from({ length: 20 }, (_, batch) =>
      Array.from({ length: 300 }, (_, i) => entry(`${batch}-${i}`)),
    )
    await Promise.all(batches.map((batch, i) => (i % 2 ? one : two).post('/logs', batch)))
    const seen: string[] = []
    for (let after: string | null = ''; after !== null; ) {
      const page = EntryPage.parse(await one.get('/logs', { limit: 1_000, ...(after && { after }) }))
      seen.push(...page.entries.map(({ message }) => message))
      after = page.next
    }
    expect(seen.toSorted()).toEqual(
      batches
        .flat()
        .map(({ message }) => message)
        .toSorted(),
    )
  })

  it('tell those who follow of what either takes, in the same order', async () => {
    const [here, there] = [await follow(one), await follow(two)]
    const posting = Array.from({ length: 60 }, (_, i) =>
      (i % 3 ? one : two).post('/logs', [entry(`${i}a`), entry(`${i}b`)]),
    )
    await Promise.all(posting)
    await Promise.all([here.until(120), there.until(120)])
    expect(new Set(here.messages()).size).toBe(120)
    expect(there.received).toEqual(here.received)
    await Promise.all([here.end(), there.end()])
  })

  it('take a reader over from each other, without gap or double', async () => {
    const here = await follow(one)
    await one.post('/logs', entry('first'))
    await here.until(1)
    await here.end()
    // of a time long before
    await one.post('/logs', entry('second', { timestamp: new Date(NOW - 3_600_000).toISOString() }))
    await two.post(
      '/logs',
      Array.from({ length: 1_200 }, (_, i) => entry(`more ${i}`)),
    )
    const there = await follow(two, here.received[0]?.id)
    await one.post('/logs', entry('last'))
    await there.until(1_202)
    expect(there.messages().slice(0, 2)).toEqual(['second', 'more 0'])
    expect(there.messages().at(-1)).toBe('last')
    const again = await follow(one, there.received[1_200]?.id)
    await again.until(1)
    expect(again.messages()).toEqual(['last'])
    expect(again.received).toEqual(there.received.slice(1_201))
    await Promise.all([there.end(), again.end()])
  })

  it('store spans of the same traces at the same time', async () => {
    const span = (id: number) => ({
      trace_id: (id % 50).toString(16).padStart(32, '0'),
      span_id: (id + 1).toString(16).padStart(16, '0'),
      service: `service-${id % 4}`,
      operation: 'o',
      start: new Date(NOW + id).toISOString(),
      duration_ms: 10,
    })
    const batches = Array.from({ length: 40 }, (_, batch) =>
      Array.from({ length: 100 }, (_, i) => span((i * 37 + batch * 50) % 4_000)),
    )
    const answers = await Promise.all(batches.map((batch, i) => (i % 2 ? one : two).post('/traces', batch)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    const { traces } = TracePage.parse(await one.get('/traces', { limit: 100 }))
    expect(traces).toHaveLength(50)
    const different = new Set(batches.flat().map(({ span_id }) => span_id))
    expect(traces.reduce((sum, { spans }) => sum + spans, 0)).toBe(different.size)
    for (const { trace_id: id, start, duration_ms: ms } of traces) {
      const starts = Trace.parse(await two.get(`/traces/${id}`)).spans.map((span) => Date.parse(span.start))
      expect([Date.parse(start), ms]).toEqual([Math.min(...starts), Math.max(...starts) + 10 - Math.min(...starts)])
    }
  })

  it('are swept by one of them at a time, which the other follows when it has gone', async () => {
    const batch = Array.from({ length: 1_500 }, (_, i) => entry(`${i}`))
    await one.post('/logs', batch)
    const limits = { keepMs: 86_400_000, maxEntries: 1_000, maxSpans: 1_000 }
    const retention = ({ store, storage, clock }: Server) =>
      new Retention({ store, ...storage, clock, log: { warning: () => {} }, limits, restMs: 1 })
    const { signal } = new AbortController()
    const count = async () => {
      const { rows } = await sql<{ n: number }>`select count(*) as n from log_entries`.execute(one.store.db)
      return rows[0]?.n
    }
    const [first, second] = [retention(one), retention(two)]
    await Promise.all([first.sweep(signal), second.sweep(signal)])
    expect(await count()).toBe(1_000)

    const [keeper, other] = (await one.storage.upkeep.begin()) ? [one, two] : [two, one]
    expect(await other.storage.upkeep.begin()).toBe(false)
    expect(await keeper.storage.upkeep.step(async () => 'done')).toBe('done')
    await one.store.transaction((trx) => sql`update log_keeper set until = now() - interval '1 second'`.execute(trx))
    expect(await other.storage.upkeep.begin()).toBe(true)
    expect(await keeper.storage.upkeep.step(async () => 'done')).toBe(undefined)
    expect(await other.storage.upkeep.step(async () => 'done')).toBe('done')
    expect(await keeper.storage.upkeep.begin()).toBe(false)
  })

  it('answer what nobody knows alike', async () => {
    expect((await one.app.request(`/traces/${TRACE}`)).status).toBe(404)
    expect((await two.app.request('/traces/%00')).status).toBe(404)
    expect(EntryPage.parse(await one.get('/logs', { service: 'a\0b', q: 'x' })).entries).toEqual([])
  })
})
