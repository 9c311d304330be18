import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Trace, TracePage } from './contract.ts'
import { NOW, openLogServer, TRACE } from './testing/running-log-server.ts'
import { onEachStore } from './testing/stores.ts'

onEachStore((newPlace) => {
  let server: Awaited<ReturnType<typeof openLogServer>>

  beforeAll(async () => {
    server = await openLogServer(newPlace())
  })
  afterEach(() => server.empty())
  afterAll(() => server.close())

  describe('traces', () => {
    const span = (id: number, parent: number | undefined, more: object = {}) => ({
      trace_id: TRACE,
      span_id: id.toString(16).padStart(16, '0'),
      ...(parent !== undefined && { parent_span_id: parent.toString(16).padStart(16, '0') }),
      service: 'api-gateway',
      operation: 'GET /x',
      kind: 'server',
      start: new Date(NOW + id).toISOString(),
      duration_ms: 10,
      status: 'ok',
      tags: {},
      ...more,
    })

    it('hides the secrets in what was done, and in its tags', async () => {
      const tags = {
        'http.request.header.cookie': 'sid=1',
        'url.full': 'http://a/?api_key=hunter2',
        'llm.max_tokens': 9,
      }
      await server.post('/traces', [span(1, undefined, { operation: 'GET http://ann:hunter2@db/', tags })])
      expect(Trace.parse(await server.get(`/traces/${TRACE}`)).spans).toMatchObject([
        {
          operation: 'GET http://[hidden]@db/',
          tags: {
            'http.request.header.cookie': '[hidden]',
            'url.full': 'http://a/?api_key=[hidden]',
            'llm.max_tokens': 9,
          },
        },
      ])
    })

    it('takes what it gives, all of what OTLP says too, and says what is wrong with it', async () => {
      const more = {
        start_unix_nano: '1795348800000000001',
        end_unix_nano: '1795348800000000002',
        trace_state: 'a=1',
        flags: 1,
        status_code: 'ok',
        status_message: 'token=abc',
        events: [{ time_unix_nano: '1795348800000000001', name: 'asked', attributes: { deep: [{ a: 1 }] } }],
        links: [{ trace_id: TRACE, span_id: '00f067aa0ba902b7', attributes: { password: 'x' } }],
        dropped_events_count: 2,
        resource: { attributes: { 'host.name': 'box' }, schema_url: 'https://example.com' },
        scope: { name: 'till' },
      }
      await server.post('/traces', [span(1, undefined, more), span(2, 1, { instance: 'gateway-1' })])
      const answer = Trace.parse(await server.get(`/traces/${TRACE}`))
      expect(answer.spans).toMatchObject([
        {
          ...more,
          status_message: 'token=[hidden]',
          links: [{ ...more.links[0], attributes: { password: '[hidden]' } }],
        },
        { resource: { attributes: { 'service.name': 'api-gateway', 'service.instance.id': 'gateway-1' } } },
      ])
      const bad = await server.post('/traces', [span(3, 1, { start_unix_nano: 'now' })])
      expect([bad.status, await bad.text()]).toEqual([
        400,
        expect.stringContaining('details.start_unix_nano: nanoseconds'),
      ])
    })

    it('puts together what several services send, in any order, some of it twice', async () => {
      const payment = span(3, 2, { service: 'payment-service', operation: 'pay', duration_ms: 120.5, status: 'error' })
      expect(await (await server.post('/traces', [payment])).json()).toEqual({ accepted: 1 })
      expect(await server.get('/traces')).toMatchObject({
        traces: [{ service: 'payment-service', operation: 'pay', spans: 1 }],
      })
      await server.post('/traces', [
        span(2, 1, { service: 'order-service', tags: { 'http.status': 201, ok: true } }),
        payment,
      ])
      await server.post('/traces', [span(1, undefined, { operation: 'POST /orders' })])
      expect(await server.get('/traces')).toEqual({
        traces: [
          {
            trace_id: TRACE,
            service: 'api-gateway',
            operation: 'POST /orders',
            start: '2026-11-22T12:00:00.001Z',
            duration_ms: 122.5,
            spans: 3,
            services: ['api-gateway', 'order-service', 'payment-service'],
            status: 'error',
          },
        ],
        next: null,
      })
      const { spans } = Trace.parse(await server.get(`/traces/${TRACE.toUpperCase()}`))
      expect(spans).toMatchObject([{ operation: 'POST /orders' }, { service: 'order-service' }, { operation: 'pay' }])
      expect(spans[1]).toEqual({
        span_id: '0000000000000002',
        parent_span_id: '0000000000000001',
        service: 'order-service',
        operation: 'GET /x',
        kind: 'server',
        start: '2026-11-22T12:00:00.002Z',
        duration_ms: 10,
        status: 'ok',
        tags: { 'http.status': 201, ok: true },
      })
      expect(spans[0]).toMatchObject({ parent_span_id: null })
    })

    it.each([
      { trace_id: 'xyz' },
      { span_id: '1' },
      { start: 'now' },
      { duration_ms: -1 },
      { status: 'bad' },
      { kind: 'x' },
      { tags: { a: {} } },
      { tags: JSON.rawJSON('1e400') },
      { operation: '' },
    ])('refuses a batch with %j', async (fault) => {
      const answer = await server.post('/traces?atomic=true', [span(1, undefined), span(2, 1, fault)])
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('Invalid span at index 1: ') })
      expect((await server.app.request(`/traces/${TRACE}`)).status).toBe(404)
      const sifted = await server.post('/traces', [span(1, undefined), span(2, 1, fault)])
      expect(await sifted.json()).toMatchObject({ accepted: 1, rejected: [{ index: 1 }] })
    })

    it.each(['9007199254740993', '123456789012345678901234567890', '1e400', '-0', '1.0'])(
      'keeps %s in tags to the letter, and refuses it as a duration that it is not',
      async (number) => {
        const json = JSON.stringify(span(1, undefined, { tags: { n: 'N' } }))
        expect((await server.post('/traces', json.replace('"N"', number))).status).toBe(202)
        expect(await (await server.app.request(`/traces/${TRACE}`)).text()).toContain(`"tags":{"n":${number}}`)
        const tooExact = json.replace(/"duration_ms":[\d.]+/, '"duration_ms":1.00000000000000000001')
        expect((await server.post('/traces', tooExact)).status).toBe(400)
      },
    )

    it.each([TRACE, 'x', '%00', "'; --"])('does not know the trace %s', async (id) => {
      const answer = await server.app.request(`/traces/${id}`)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ error: 'Trace not found' })
    })

    it('lists by service, duration and status, in pages', async () => {
      const id = (i: number) => i.toString(16).padStart(32, '0')
      const many = Array.from({ length: 5_000 }, (_, i) =>
        span(i + 1, undefined, {
          trace_id: id(i + 1),
          duration_ms: i % 1_000,
          status: i === 7 ? 'error' : 'ok',
          service: i % 2_500 === 3 ? 'rare' : 'common',
        }),
      )
      await server.post('/traces', many)
      const list = async (query: Record<string, string>) => {
        const { traces } = TracePage.parse(await server.get('/traces', query))
        return traces.map(({ trace_id }) => Number.parseInt(trace_id, 16) - 1)
      }
      expect(await list({ service: 'rare' })).toEqual([2_503, 3])
      expect(await list({ status: 'error' })).toEqual([7])
      expect(await list({ status: 'ok', service: 'rare' })).toEqual([2_503, 3])
      expect(await list({ min_duration: '999' })).toEqual([4_999, 3_999, 2_999, 1_999, 999])
      expect(await list({ min_duration: '0.998s', limit: '2' })).toEqual([4_999, 4_998])
      const seen: number[] = []
      let next: string | null = null
      do {
        const page: TracePage = TracePage.parse(
          await server.get('/traces', { limit: 700, ...(next !== null && { after: next }) }),
        )
        seen.push(...page.traces.map(({ trace_id }) => Number.parseInt(trace_id, 16)))
        next = page.next
      } while (next !== null)
      expect(seen).toEqual(Array.from({ length: 5_000 }, (_, i) => 5_000 - i))
    })

    it.each(['limit=0', 'status=bad', 'min_duration=long', 'after=x', 'servce=shop'])('refuses %s', async (query) => {
      expect((await server.app.request(`/traces?${query}`)).status).toBe(400)
    })
  })
})
