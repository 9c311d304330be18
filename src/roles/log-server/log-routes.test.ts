import fc from 'fast-check'
import { generateSpecs } from 'hono-openapi'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { EntryPage } from './contract.ts'
import { NOW, openLogServer, TRACE } from './testing/running-log-server.ts'
import { onEachStore } from './testing/stores.ts'

onEachStore((newPlace) => {
  let server: Awaited<ReturnType<typeof openLogServer>>

  beforeAll(async () => {
    server = await openLogServer(newPlace())
  })
  afterEach(() => server.empty())
  afterAll(() => server.close())

  const find = async (query: Record<string, string | number> = {}) => EntryPage.parse(await server.get('/logs', query))

  async function messages(query: Record<string, string | number> = {}): Promise<string[]> {
    return (await find(query)).entries.map((entry) => entry.message)
  }

  /** An entry so many seconds before now. */
  const entry = (message: string, secondsAgo = 0, more: object = {}) => ({
    timestamp: new Date(NOW - secondsAgo * 1000).toISOString(),
    level: 'INFO',
    service: 'order-service',
    instance: 'a',
    message,
    ...more,
  })

  describe('POST /logs', () => {
    it('takes one entry, and gives it back whole', async () => {
      const given = entry('hello', 0, { trace_id: TRACE, span_id: 'b7ad6b7169203331', metadata: { order: { id: 17 } } })
      const answer = await server.post('/logs', given)
      expect(answer.status).toBe(202)
      expect(await answer.json()).toEqual({ accepted: 1 })
      expect(await server.get('/logs')).toEqual({
        entries: [{ id: expect.stringMatching(/^\d+$/), ...given }],
        next: null,
      })
    })

    it('takes an array, and one a line with or without its content type', async () => {
      const lines = `${JSON.stringify(entry('c', 3))}\n\n${JSON.stringify(entry('d', 2))}\r\n`
      expect(await (await server.post('/logs', [entry('a', 5), entry('b', 4)])).json()).toEqual({ accepted: 2 })
      expect(await (await server.post('/logs', lines)).json()).toEqual({ accepted: 2 })
      const typed = { 'content-type': 'application/x-ndjson' }
      expect(await (await server.post('/logs', JSON.stringify(entry('e', 1)), typed)).json()).toEqual({ accepted: 1 })
      expect(await (await server.post('/logs', [])).json()).toEqual({ accepted: 0 })
      expect(await messages()).toEqual(['e', 'd', 'c', 'b', 'a'])
    })

    it("takes the seed's shape of time, any case of level, and no time at all", async () => {
      const seed = entry('seed', 0, { timestamp: '2026-11-22 11:59:58.250', level: 'warning', trace_id: '' })
      await server.post('/logs', [seed, { level: 'INFO', service: 's', message: 'bare' }])
      expect(await server.get('/logs')).toMatchObject({
        entries: [
          { message: 'bare', timestamp: '2026-11-22T12:00:00.000Z', instance: '' },
          { message: 'seed', timestamp: '2026-11-22T11:59:58.250Z', level: 'WARNING' },
        ],
      })
    })

    it.each([
      ['a level there is not', { level: 'LOUD' }, 'level'],
      ['no message', { message: undefined }, 'message'],
      ['no service', { service: '' }, 'service'],
      ['a time that is none', { timestamp: 'yesterday' }, 'timestamp'],
      ['metadata that is a list', { metadata: [] }, 'metadata'],
      ['a message too long', { message: 'x'.repeat(65_537) }, 'message'],
      ['metadata too long', { metadata: { a: 'x'.repeat(65_537) } }, 'metadata'],
      ['a number to the letter as metadata', { metadata: JSON.rawJSON('1e400') }, 'metadata'],
    ])(
      'leaves %s out of a batch, naming it, and takes none where all or nothing is asked for',
      async (_, fault, field) => {
        const batch = [entry('good'), entry('bad', 0, fault), entry('fine', 1)]
        const answer = await server.post('/logs?atomic=true', batch)
        expect(answer.status).toBe(400)
        const problem = await answer.json()
        expect(problem).toMatchObject({
          code: 'INVALID_REQUEST',
          error: 'Invalid log entry',
          detail: expect.stringContaining(`at index 1: ${field}: `),
        })
        expect(await messages()).toEqual([])
        const sifted = await server.post('/logs', batch)
        expect(sifted.status).toBe(202)
        const rejected = [{ index: 1, code: 'INVALID_REQUEST', detail: expect.stringContaining(`${field}: `) }]
        expect(await sifted.json()).toEqual({ accepted: 2, rejected })
        expect((await messages()).toSorted()).toEqual(['fine', 'good'])
        expect((await server.post('/logs', [entry('bad', 0, fault)])).status).toBe(400)
      },
    )

    it.each([
      ['warn', 'WARNING'],
      ['Warning', 'WARNING'],
      ['err', 'ERROR'],
      ['SEVERE', 'ERROR'],
      ['fatal', 'CRITICAL'],
      ['crit', 'CRITICAL'],
      ['trace', 'DEBUG'],
      ['Notice', 'INFO'],
      [10, 'DEBUG'],
      [20, 'DEBUG'],
      [30, 'INFO'],
      [35, 'INFO'],
      [40, 'WARNING'],
      [50, 'ERROR'],
      ['60', 'CRITICAL'],
    ])('knows the level %j', async (level, known) => {
      expect((await server.post('/logs', [entry('x', 0, { level })])).status).toBe(202)
      const found = await (await server.app.request(`/logs?level=${level}`)).json()
      expect(found).toMatchObject({ entries: [{ level: known }] })
    })

    it("takes a line of somebody's logger, and keeps all of it", async () => {
      const line =
        '{"level":40,"time":1764208000000,"pid":9007199254740993,"name":"shop","msg":"sold out","password":"x"}'
      expect((await server.post('/logs', line)).status).toBe(202)
      const found = await (await server.app.request('/logs?service=shop&q=sold')).text()
      expect(found).toContain('"timestamp":"2025-11-27T01:46:40.000Z","level":"WARNING"')
      expect(found).toContain('"metadata":{"pid":9007199254740993,"password":"[hidden]"}')
    })

    it('is told whose entries they are that do not say so', async () => {
      const line = '{"level":"INFO+2","msg":"from slog","time":"2025-11-27T01:46:40Z"}'
      expect((await server.post('/logs', line)).status).toBe(400)
      expect((await server.post('/logs?service=slogger', line)).status).toBe(202)
      const found = await (await server.app.request('/logs?service=slogger')).json()
      expect(found).toMatchObject({ entries: [{ level: 'INFO', message: 'from slog' }] })
    })

    it('reads no item of more than 1 000 keys, which would keep everybody waiting', async () => {
      const keys = Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`k${n}`, n]))
      const answer = await server.post('/logs', [entry('good'), entry('many', 0, { metadata: keys })])
      expect(await answer.json()).toEqual({
        accepted: 1,
        rejected: [{ index: 1, code: 'BODY_TOO_LARGE', detail: expect.stringContaining('more than 1000 keys') }],
      })
    })

    it('says which levels there are to an entry without one', async () => {
      const answer = await server.post('/logs', [{ service: 's', message: 'm' }])
      expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('level: one of DEBUG, INFO') })
    })

    it.each([0, 7, 70, 1e3, -10, null, true, 'loud'])('knows no level %j', async (level) => {
      expect((await server.post('/logs', [entry('x', 0, { level })])).status).toBe(400)
    })

    it.each([
      '',
      '{',
      '[[',
      'null',
      '17',
      '"text"',
      '[null]',
      '[[]]',
      `{"a":1}\n{"b":`,
      '['.repeat(100_000),
      '{"level":"\\ud800"}',
    ])('refuses %.20j', async (body) => {
      expect((await server.post('/logs', body)).status).toBe(400)
    })

    it.each([
      ['lines', (entry: string) => `${entry}\n`.repeat(10_001)],
      ['an array', (entry: string) => `[${entry}${`,${entry}`.repeat(10_000)}]`],
    ])('refuses more entries at once than are stored in a moment, in %s', async (_, batchOf) => {
      const answer = await server.post('/logs', batchOf('{"level":"INFO","service":"s","message":"m"}'))
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ code: 'INVALID_REQUEST', detail: expect.stringContaining('10000') })
    })

    it('refuses more than 8 MiB', async () => {
      expect((await server.post('/logs', `["${'x'.repeat(8 * 1_048_576)}"]`)).status).toBe(413)
    })

    it('hides the secrets of others, and nothing else', async () => {
      const metadata = {
        request: {
          headers: [{ name: 'Cookie', value: 'sid=1' }, { Authorization: 'Bearer hunter2' }],
          'x-api-key': 'hunter2',
        },
        store: 'postgres://ann:hunter2@db/x',
        body: '{"passwd":"hunter2","jwt":"hunter2"}',
        aws: 'AKIAIOSFODNN7EXAMPLE',
        token_count: 17,
        order_id: '018f2f4e-7a6b-7c3d-9e4f-0123456789ab',
      }
      await server.post(
        '/logs',
        entry('GET /?token=hunter2 by ann', 0, { trace_id: TRACE, metadata, instance: 'pwd=hunter2' }),
      )
      expect((await find()).entries[0]).toMatchObject({
        message: 'GET /?token=[hidden] by ann',
        instance: 'pwd=[hidden]',
        trace_id: TRACE,
        metadata: {
          request: { headers: [{ value: '[hidden]' }, { Authorization: '[hidden]' }], 'x-api-key': '[hidden]' },
          store: 'postgres://[hidden]@db/x',
          body: '{"passwd":"[hidden]","jwt":"[hidden]"}',
          aws: '[hidden]',
          token_count: 17,
          order_id: '018f2f4e-7a6b-7c3d-9e4f-0123456789ab',
        },
      })
      expect(await messages({ q: 'hunter2' })).toEqual([])
    })

    it.each(['9007199254740993', '123456789012345678901234567890', '1e400', '[-0,1.0,{"a":1E5}]'])(
      'keeps %s in metadata to the letter, also beside a secret',
      async (text) => {
        const secret = `{"pin":${text},"password":"hunter2"}`
        const lines = [`{"n": ${text}}`, secret].map(
          (metadata) => `{"level":"INFO","service":"s","message":"m","metadata":${metadata}}`,
        )
        expect((await server.post('/logs', lines.join('\n'))).status).toBe(202)
        const answer = await (await server.app.request('/logs')).text()
        expect(answer).toContain(`"metadata":{"n":${text}}`)
        expect(answer).toContain(`"metadata":{"pin":${text},"password":"[hidden]"}`)
      },
    )

    it('stores whatever text there is, each entry by itself', async () => {
      const hostile = 'a\r\nb\0\u001b[31m\u2028"\'; DROP TABLE log_entries; -- {"__proto__":1}'
      const body = `{"level":"INFO","service":"s","message":${JSON.stringify(hostile)},"metadata":{"__proto__":{"x":1},"k":"\\u001b]0;t\\u0007"}}`
      expect((await server.post('/logs', body)).status).toBe(202)
      expect(await server.get('/logs')).toMatchObject({
        entries: [{ message: hostile, metadata: { k: '\u001b]0;t\u0007' } }],
      })
    })

    it('keeps the order of entries of one millisecond, and takes any number of them', async () => {
      const same = Array.from({ length: 5_000 }, (_, i) => entry(`m${i}`, 60))
      await Promise.all([
        server.post('/logs', same),
        server.post('/logs', same),
        server.post('/logs', entry('later', 1)),
      ])
      await server.post('/logs', same)
      const seen: unknown[] = []
      let after: Record<string, string> = {}
      for (;;) {
        const page = await find({ limit: 1000, ...after })
        seen.push(...page.entries.map(({ message }) => message))
        if (page.next === null) break
        after = { after: page.next }
      }
      expect(seen[0]).toBe('later')
      expect(seen).toHaveLength(15_001)
      expect(new Set(seen).size).toBe(5_001)
    })

    it('files an entry from the far future under the present', async () => {
      await server.post('/logs', [
        entry('from 2100', 0, { timestamp: '2100-01-01T00:00:00Z' }),
        entry('tomorrow', -3_600),
      ])
      expect(await messages()).toEqual(['tomorrow', 'from 2100'])
    })
  })

  describe('GET /logs', () => {
    beforeEach(async () => {
      await server.post('/logs', [
        entry('order 17 created', 100, { trace_id: TRACE, metadata: { order_id: 17, path: 'a\nfailed' } }),
        entry('connection refused', 50, { level: 'ERROR', service: 'user-service' }),
        entry('order 18 created', 20, { level: 'DEBUG' }),
        entry('Zahlung für café abgelehnt', 10, { level: 'CRITICAL', service: 'payment-service' }),
      ])
    })

    it.each([
      [{}, 4],
      [{ service: 'user-service' }, 1],
      [{ service: 'nobody' }, 0],
      [{ level: 'WARNING' }, 2],
      [{ level: 'critical' }, 1],
      [{ trace_id: TRACE.toUpperCase() }, 1],
      [{ q: 'order' }, 2],
      [{ q: 'created ORDER 17' }, 1],
      [{ q: '"18 created"' }, 1],
      [{ q: 'order_id:17' }, 1],
      [{ q: 'failed' }, 1],
      [{ q: 'fur CAFE' }, 1],
      [{ q: 'order', level: 'INFO' }, 1],
      [{ q: 'order', trace_id: TRACE, service: 'order-service' }, 1],
      [{ q: '' }, 4],
      [{ since: '30s' }, 2],
      [{ until: '30s' }, 2],
      [{ since: '2026-11-22T11:59:10Z', until: '2026-11-22T11:59:40Z' }, 2],
      [{ since: '2026-11-22T11:59:10.001Z', until: '2026-11-22T11:59:39.999Z' }, 0],
      [{ q: 'order', since: '1m' }, 1],
    ])('finds by %j', async (query, count) => {
      expect(await messages(query as Record<string, string>)).toHaveLength(count)
    })

    it.each([
      '"',
      "'",
      '*',
      'AND',
      'a AND',
      'NEAR(a b)',
      'order*',
      '-order',
      '(',
      'text:x',
      "' OR 1=1 --",
      '%',
      '\0',
      'a"b"c',
      '^a',
      '{a b}:c',
      '😀',
    ])('takes %j for text', async (q) => {
      await messages({ q })
    })

    it('takes any search text', async () => {
      const property = fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (q) => {
        const answer = await server.app.request(`/logs?${new URLSearchParams({ q: q.toWellFormed() })}`)
        expect(answer.status).toBe(200)
      })
      await fc.assert(property, { numRuns: 200 })
    })

    it.each([
      ['limit=0'],
      ['limit=1001'],
      ['limit=x'],
      ['level=LOUD'],
      ['since=yesterday'],
      ['after=x'],
      [`q=${'x'.repeat(1_001)}`],
    ])('refuses %.20s', async (query) => {
      expect((await server.app.request(`/logs?${query}`)).status).toBe(400)
    })

    it('pages through what fits, without gap or double', async () => {
      const page = await find({ limit: 3 })
      expect(page.entries).toHaveLength(3)
      expect(page.next).toBe(page.entries[2]?.id)
      expect(await server.get('/logs', { limit: 3, after: page.next ?? '' })).toMatchObject({
        entries: [{ message: 'order 17 created' }],
        next: null,
      })
      expect(await server.get('/logs', { limit: 1, after: page.next ?? '' })).toMatchObject({ next: null })
    })

    it('ends a page early when entries are large, and loses none', async () => {
      const large = Array.from({ length: 40 }, (_, i) =>
        entry(`${i} ${'x'.repeat(60_000)}`, 100 - i, { service: 'large' }),
      )
      await server.post('/logs', large)
      const seen: string[] = []
      let after: string | null = null
      do {
        const page: EntryPage = await find({ limit: 1_000, service: 'large', ...(after && { after }) })
        expect(JSON.stringify(page).length).toBeLessThan(1.2e6)
        seen.push(...page.entries.map(({ message }) => message.split(' ')[0] ?? ''))
        after = page.next
      } while (after !== null)
      expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => String(39 - i)))
    })

    it('looks for 32 words at most', async () => {
      expect(await messages({ q: 'nowhere '.repeat(32) })).toEqual([])
      const refused = await server.app.request(`/logs?${new URLSearchParams({ q: `"${'word '.repeat(33)}"` })}`)
      expect(refused.status).toBe(400)
      expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('at most 32 words') })
      expect((await server.app.request(`/logs/tail?q=${'word+'.repeat(33)}`)).status).toBe(400)
    })

    it('finds what is rare among many', async () => {
      const many = Array.from({ length: 12_000 }, (_, i) => entry(`noise ${i}`, 30))
      for (const part of [many.slice(0, 6_000), many.slice(6_000)]) await server.post('/logs', part)
      expect(await messages({ level: 'ERROR' })).toEqual(['Zahlung für café abgelehnt', 'connection refused'])
      expect(await messages({ service: 'user-service' })).toEqual(['connection refused'])
      expect(await messages({ q: 'noise 7777' })).toEqual(['noise 7777'])
      expect(await messages({ q: 'noise', level: 'ERROR' })).toEqual([])
      expect(await messages({ q: 'noise', limit: 2, until: '29s' })).toHaveLength(2)
    })
  })

  it('documents itself', async () => {
    const { paths } = await generateSpecs(server.app)
    const all = ['/logs', '/logs/tail', '/traces', '/traces/{trace_id}', '/v1/traces', '/v1/logs', '/v1/metrics']
    expect(Object.keys(paths)).toEqual(all)
    expect(paths['/logs']?.post?.requestBody).toMatchObject({
      content: { 'application/json': { schema: { anyOf: [{ type: 'array' }, { type: 'object' }] } } },
    })
  })
})
