import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { LOGS, TRACES } from '../../src/roles/log-server/otlp/requests.ts'
import { siftRequest } from '../../src/roles/log-server/otlp/sifting-request.ts'
import { boot } from './boot.ts'

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly at: number
}

/** Stands in for Jaeger or Zipkin: keeps what it takes. @param answer the status and Retry-After of the request of a number, from 1 */
async function standIn(answer: (count: number) => { status: number; retryAfter?: string } = () => ({ status: 202 })) {
  const received: Received[] = []
  const refused: Received[] = []
  const server = createServer(async (incoming, outgoing) => {
    const body = gunzipSync(await buffer(incoming))
    const request = { path: incoming.url ?? '', headers: incoming.headers, body, at: performance.now() }
    const { status, retryAfter } = answer(received.length + refused.length + 1)
    if (status < 300) received.push(request)
    else refused.push(request)
    outgoing.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    received,
    refused,
    url: `http://127.0.0.1:${port}`,
    of: (path: string) => received.filter((request) => request.path === path),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = {
  traceId: TRACE,
  spanId: '00f067aa0ba902b7',
  parentSpanId: '00f067aa0ba902b6',
  name: 'sell',
  kind: 2,
  startTimeUnixNano: '1764208000123456789',
  endTimeUnixNano: '1764208000223456789',
  attributes: [
    { key: 'big', value: { intValue: '9007199254740993' } },
    { key: 'half', value: { doubleValue: 0.5 } },
    { key: 'whole', value: { doubleValue: 5 } },
    { key: 'raw', value: { bytesValue: 'AQL/' } },
  ],
  events: [{ timeUnixNano: '1764208000133456789', name: 'asked', attributes: [{ key: 'n', value: { intValue: 1 } }] }],
  links: [{ traceId: TRACE, spanId: '00f067aa0ba902b8' }],
  status: { code: 2, message: 'sold out' },
}
const RESOURCE = {
  attributes: [
    { key: 'service.name', value: { stringValue: 'shop' } },
    { key: 'host.cpus', value: { intValue: 4 } },
  ],
}
const TRACES_BODY = {
  resourceSpans: [{ resource: RESOURCE, scopeSpans: [{ scope: { name: 'till' }, spans: [SPAN] }] }],
}
const RECORD = {
  timeUnixNano: '1764208000123456789',
  severityNumber: 17,
  body: { stringValue: 'sold out' },
  traceId: TRACE,
}
const LOGS_BODY = { resourceLogs: [{ resource: RESOURCE, scopeLogs: [{ logRecords: [RECORD] }] }] }

const post = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

describe('telemetry.export', () => {
  it('sends every span and entry on by OTLP, and every span to Zipkin', async () => {
    await using jaeger = await standIn()
    await using zipkin = await standIn()
    const targets = [{ otlp: `${jaeger.url}/base`, headers: { 'x-team-key': 'very-secret' } }, { zipkin: zipkin.url }]
    await using platform = await boot(['log-server'], { platform: { telemetry: { export: targets } } })
    expect(await (await platform.fetch('log-server', '/v1/traces', post(TRACES_BODY))).json()).toEqual({})
    expect(await (await platform.fetch('log-server', '/v1/logs', post(LOGS_BODY))).json()).toEqual({})
    const own = {
      trace_id: TRACE,
      span_id: 'b7ad6b7169203331',
      service: 'till',
      operation: 'open',
      start: '2026-11-27T03:00:00.5Z',
      duration_ms: 1.5,
      status: 'error',
      tags: { error: 'no cash', count: 3 },
    }
    await platform.fetch('log-server', '/traces', post(own))
    await platform.fetch(
      'log-server',
      '/logs',
      post({ level: 'WARNING', service: 'till', instance: 'till-1', message: 'opened', metadata: { n: 1 } }),
    )

    await vi.waitFor(() => {
      expect(jaeger.of('/base/v1/traces').length + jaeger.of('/base/v1/logs').length).toBeGreaterThanOrEqual(2)
      expect(zipkin.of('/api/v2/spans').length).toBeGreaterThanOrEqual(1)
    }, 20_000)
    await vi.waitFor(async () => expect(await spansAt(jaeger)).toHaveLength(2), 20_000)
    const [{ headers } = { headers: {} }] = jaeger.received
    expect(headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
      'x-team-key': 'very-secret',
    })
    const [foreign, ours] = await spansAt(jaeger)
    expect(foreign).toMatchObject({
      trace_id: TRACE,
      span_id: SPAN.spanId,
      parent_span_id: SPAN.parentSpanId,
      service: 'shop',
      operation: 'sell',
      kind: 'server',
      status: 'error',
      tags: { big: '9007199254740993', half: 0.5, whole: 5, raw: 'AQL/' },
      details: {
        start_unix_nano: SPAN.startTimeUnixNano,
        end_unix_nano: SPAN.endTimeUnixNano,
        status_message: 'sold out',
        events: [{ name: 'asked', time_unix_nano: '1764208000133456789', attributes: { n: 1 } }],
        links: [{ trace_id: TRACE, span_id: '00f067aa0ba902b8' }],
      },
      origin: { resource: { attributes: { 'service.name': 'shop', 'host.cpus': 4 } }, scope: { name: 'till' } },
    })
    expect(ours).toMatchObject({
      span_id: own.span_id,
      service: 'till',
      status: 'error',
      tags: own.tags,
      details: {
        start_unix_nano: '1795748400500000000',
        end_unix_nano: '1795748400501500000',
        status_message: 'no cash',
      },
    })
    await vi.waitFor(async () => {
      const messages = (await recordsAt(jaeger)).map(({ service, level, message }) => ({ service, level, message }))
      expect(messages).toEqual(
        expect.arrayContaining([
          { service: 'shop', level: 'ERROR', message: 'sold out' },
          { service: 'till', level: 'WARNING', message: 'opened' },
        ]),
      )
    }, 20_000)
    const zipkins = zipkin.received.flatMap(({ body }) => JSON.parse(String(body)))
    expect(zipkins).toContainEqual({
      traceId: TRACE,
      id: SPAN.spanId,
      parentId: SPAN.parentSpanId,
      name: 'sell',
      kind: 'SERVER',
      timestamp: 1_764_208_000_123_457,
      duration: 100_000,
      localEndpoint: { serviceName: 'shop' },
      annotations: [{ timestamp: 1_764_208_000_133_457, value: '"asked": {"n":1}' }],
      tags: {
        big: '9007199254740993',
        half: '0.5',
        whole: '5',
        raw: 'AQL/',
        'host.cpus': '4',
        'otel.scope.name': 'till',
        'otel.status_code': 'ERROR',
        error: 'sold out',
      },
    })
    expect(zipkin.of('/api/v2/spans')).toHaveLength(zipkin.received.length)
    // nobody sees the key
    expect(JSON.stringify(platform.entries)).not.toContain('very-secret')
  })

  it('tries again when the target says, and sends nothing twice', async () => {
    await using jaeger = await standIn((count) => (count === 1 ? { status: 503, retryAfter: '2' } : { status: 200 }))
    await using platform = await boot(['log-server'], { platform: { telemetry: { export: [{ otlp: jaeger.url }] } } })
    await platform.fetch('log-server', '/v1/traces', post(TRACES_BODY))
    await vi.waitFor(async () => expect(await spansAt(jaeger)).toHaveLength(1), 20_000)
    const [refused] = jaeger.refused
    const [taken] = jaeger.of('/v1/traces')
    expect((taken?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThan(1_950)
  })

  it('says in /health and in a metric what a target lost', async () => {
    await using jaeger = await standIn(() => ({ status: 400 }))
    await using platform = await boot(['log-server'], { platform: { telemetry: { export: [{ zipkin: jaeger.url }] } } })
    await platform.fetch('log-server', '/v1/traces', post(TRACES_BODY))
    const health = async () => (await platform.fetch('log-server', '/health')).json()
    await vi.waitFor(async () => {
      expect(await health()).toMatchObject({
        status: 'degraded',
        checks: { 'export 1': expect.stringContaining(`1 spans and entries for zipkin ${jaeger.url} were dropped`) },
      })
    }, 20_000)
    const metrics = await (await platform.fetch('log-server', '/metrics')).text()
    expect(metrics).toMatch(/log_server_export_dropped_total\{[^}]*kind="spans"[^}]*\} 1/)
  })
})

async function spansAt(target: Awaited<ReturnType<typeof standIn>>) {
  const all = target.received.filter(({ path }) => path.endsWith('/v1/traces'))
  return (await Promise.all(all.map(({ body }) => siftRequest(body, 'protobuf', TRACES, undefined)))).flatMap(
    ({ items }) => JSON.parse(JSON.stringify(items)) as Record<string, unknown>[],
  )
}

async function recordsAt(target: Awaited<ReturnType<typeof standIn>>) {
  const all = target.received.filter(({ path }) => path.endsWith('/v1/logs'))
  return (await Promise.all(all.map(({ body }) => siftRequest(body, 'protobuf', LOGS, undefined)))).flatMap(
    ({ items }) => items,
  )
}
