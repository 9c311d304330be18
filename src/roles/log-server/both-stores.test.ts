import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isHere } from '../../../test/servers/programs.ts'
import { EntryPage, Trace, TracePage } from './contract.ts'
import { NOW, openLogServer } from './testing/running-log-server.ts'
import { ownPostgres } from './testing/stores.ts'

/** Not among them: NUL, and pictures, some of which FTS5 takes for letters. */
const WORDS = [
  'order',
  'Order',
  'créé',
  'CRÉÉ',
  'created',
  '17',
  'x_1',
  'naïve',
  'Ünder',
  'ΣΊΣΥΦΟΣ',
  '日本',
  '한글',
  '\x10',
]
const word = fc.constantFrom(...WORDS)
const mark = fc.constantFrom(' ', ' ', ' ', '-', '.', '"', ': ', '_', '\n', '\\', '\t')
const text = fc.array(fc.oneof(word, mark), { maxLength: 14 }).map((parts) => parts.join(''))
const service = fc.constantFrom('shop', 'stock', 'a\0b')
const traceId = fc.constantFrom('0'.repeat(32), '1'.repeat(32))
const level = fc.constantFrom('DEBUG', 'INFO', 'WARNING', 'ERROR')
/** Some of the last minutes, some of days before, and some of years ago. */
const secondsAgo = fc.oneof(fc.nat(300), fc.nat(20 * 86_400), fc.nat(1e9))
const when = secondsAgo.map((seconds) => new Date(NOW - seconds * 1_000).toISOString())

const entry = fc.record(
  {
    timestamp: when,
    level,
    service,
    message: text,
    metadata: fc.dictionary(word, text, { maxKeys: 3 }),
    trace_id: traceId,
  },
  { requiredKeys: ['timestamp', 'level', 'service', 'message'] },
)
const query = fc.record(
  { q: text, service, level, trace_id: traceId, since: when, until: when, limit: fc.integer({ min: 1, max: 50 }) },
  { requiredKeys: [] },
)
const span = fc.record({
  trace_id: fc.nat(30).map((id) => id.toString(16).padStart(32, '0')),
  span_id: fc.nat(200).map((id) => id.toString(16).padStart(16, '0')),
  service,
  operation: text.map((name) => `a${name}`),
  start: when,
  duration_ms: fc.nat(1_000),
  status: fc.constantFrom('ok', 'error'),
  tags: fc.dictionary(word, text, { maxKeys: 2 }),
})
const traceQuery = fc.record(
  {
    service,
    status: fc.constantFrom('ok', 'error'),
    min_duration: fc.nat(2_000),
    limit: fc.integer({ min: 1, max: 10 }),
  },
  { requiredKeys: [] },
)

type Query = Readonly<Record<string, string | number>>

describe.skipIf(!isHere('postgres'))('SQLite and PostgreSQL', () => {
  const { newPlace } = ownPostgres()
  let servers: readonly Awaited<ReturnType<typeof openLogServer>>[] = []
  beforeAll(async () => {
    servers = [await openLogServer(), await openLogServer(newPlace())]
  })
  afterAll(async () => {
    for (const server of servers) await server.close()
  })

  /** What each answers to a question, page after page. */
  function answers<P extends { readonly next: string | null }>(
    path: string,
    query: Query,
    parse: (json: unknown) => P,
  ) {
    return Promise.all(
      servers.map(async (server) => {
        const pages: P[] = []
        for (let after: string | null = ''; after !== null; after = pages.at(-1)?.next ?? null) {
          pages.push(parse(await server.get(path, { ...query, ...(after !== '' && { after }) })))
        }
        return pages
      }),
    )
  }

  it('find the same entries', async () => {
    const [entries = []] = fc.sample(fc.array(entry, { minLength: 500, maxLength: 500 }), 1)
    for (const server of servers) expect((await server.post('/logs', entries)).status).toBe(202)
    const property = fc.asyncProperty(query, async (query) => {
      const [sqlite, postgres] = await answers('/logs', query, (json) => EntryPage.parse(json))
      const shown = (pages: readonly EntryPage[] = []) =>
        pages.flatMap((page) => page.entries.map(({ id, ...rest }) => rest))
      expect(shown(postgres)).toEqual(shown(sqlite))
    })
    await fc.assert(property, { numRuns: 300 })
    // hundreds of pages each, where they are short
  }, 180_000)

  it('list and show the same traces', async () => {
    const [spans = []] = fc.sample(fc.array(span, { minLength: 300, maxLength: 300 }), 1)
    for (const server of servers) {
      for (let at = 0; at < spans.length; at += 50) await server.post('/traces', spans.slice(at, at + 50))
    }
    const property = fc.asyncProperty(traceQuery, async (query) => {
      const [sqlite, postgres] = await answers('/traces', query, (json) => TracePage.parse(json))
      expect(postgres).toEqual(sqlite)
    })
    await fc.assert(property, { numRuns: 100 })
    for (const id of new Set(spans.map((span) => span.trace_id))) {
      const [sqlite, postgres] = await Promise.all(servers.map((server) => server.get(`/traces/${id}`)))
      const bySpan = (trace: unknown) =>
        Trace.parse(trace).spans.toSorted(
          (a, b) => a.start.localeCompare(b.start) || a.span_id.localeCompare(b.span_id),
        )
      expect(bySpan(postgres)).toEqual(bySpan(sqlite))
    }
  })
})
