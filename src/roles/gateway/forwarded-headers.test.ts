import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NOBODY } from '../../kit/auth/asker.ts'
import { type ForwardedFor, headerFilter } from './forwarded-headers.ts'
import type { RequestOrigin } from './request-origin.ts'

const SPAN = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', sampled: true }

const ORIGIN: RequestOrigin = {
  address: '203.0.113.9',
  path: '203.0.113.9',
  proto: 'http',
  host: 'gateway.test',
}

const FORWARDED: ForwardedFor = {
  origin: ORIGIN,
  requestId: 'request-1',
  span: SPAN,
  asker: { is: 'user', subject: 'alice', scopes: new Set(['orders:write', 'orders:read']) },
  serviceToken: undefined,
  waitMs: 15_000,
}

/** `Name: value` lines as node:http has them: names and values by turns. */
const raw = (...lines: string[]) => lines.flatMap((line) => line.split(': '))

/** What the upstream gets, as name/value pairs with lower-case names. */
function sent(client: readonly string[], forwarded: Partial<ForwardedFor> = {}) {
  const lines = headerFilter().request(client, '127.0.0.1:8001', { ...FORWARDED, ...forwarded })
  expect(lines.endsWith('\r\n')).toBe(true)
  return lines
    .split('\r\n')
    .slice(0, -1)
    .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)] as const)
}
const valuesOf = (pairs: ReturnType<typeof sent>, name: string) =>
  pairs.flatMap(([n, value]) => (n === name ? [value] : []))
const OWN_NAMES = sent([]).map(([name]) => name)

describe('request headers', () => {
  it('pass on as they are', () => {
    const pairs = sent(raw('Host: x', 'Accept: a/b', 'X-Thing: \u00e9', 'Cookie: a=b', 'Cookie: c=d'))
    expect(pairs.filter(([name]) => !OWN_NAMES.includes(name))).toEqual([
      ['accept', 'a/b'],
      ['x-thing', '\u00e9'],
      ['cookie', 'a=b'],
      ['cookie', 'c=d'],
    ])
  })

  it('say what other vendors keep in the trace, as it was found valid, and no other', () => {
    const client = raw('tracestate: foo=1', 'TraceState: bar=')
    expect(valuesOf(sent(client), 'tracestate')).toEqual([])
    expect(valuesOf(sent(client, { span: { ...SPAN, state: 'foo=1' } }), 'tracestate')).toEqual(['foo=1'])
  })

  it('say who asks, through whom, in which trace', () => {
    expect(sent([])).toEqual([
      ['host', '127.0.0.1:8001'],
      ['x-forwarded-for', '203.0.113.9'],
      ['x-forwarded-proto', 'http'],
      ['x-forwarded-host', 'gateway.test'],
      ['x-request-id', 'request-1'],
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      ['x-trace-id', SPAN.traceId],
      ['x-span-id', SPAN.spanId],
      ['x-deadline-ms', '15000'],
      ['x-caller', 'user'],
      ['x-user-id', 'alice'],
      ['x-user-scopes', 'orders:write orders:read'],
    ])
  })

  it('say "nobody" when nobody was verified', () => {
    const pairs = sent(['X-User-Id', 'mallory', 'X-Caller', 'user'], {
      asker: NOBODY,
      origin: { ...ORIGIN, host: undefined },
    })
    const names = pairs.map(([name]) => name)
    expect(valuesOf(pairs, 'x-caller')).toEqual(['nobody'])
    expect(names).not.toContain('x-user-id')
    expect(names).not.toContain('x-forwarded-host')
  })

  it("carry the gateway's token in place of the user's", () => {
    expect(valuesOf(sent(['Authorization', 'Bearer user']), 'authorization')).toEqual([])
    expect(valuesOf(sent(['Authorization', 'Bearer user'], { serviceToken: 'own' }), 'authorization')).toEqual([
      'Bearer own',
    ])
  })

  it.each([
    'X-User-Id',
    'x_user_id',
    'X.User.Id',
    'x-user_ID',
    'X~User~Id',
    'X-User',
    'X-Caller',
    'x_caller',
    'X-User-Scopes',
    'X_User_Scopes',
    'X-User-Role',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Forwarded-Port',
    'X-Forwarded',
    'x_forwarded_for',
    'Forwarded',
    'X-Real-IP',
    'X_Real_Ip',
    'True-Client-IP',
    'CF-Connecting-IP',
    'X-Original-URL',
    'X-HTTP-Method-Override',
    'Traceparent',
    'X-Trace-ID',
    'X-Span-ID',
    'X-Request-ID',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Proxy',
    'Expect',
    'Authorization',
    'Host',
    'Origin',
    'Sec-Fetch-Site',
    'Sec-Fetch-Mode',
    'Content_Length',
    'Transfer_Encoding',
    'transfer.encoding',
  ])("never carry the client's %s", (name) => {
    expect(sent([name, 'evil'])).toEqual(sent([]))
  })

  it.each([
    'Remote-User',
    'X-WEBAUTH-USER',
    'X-SSL-Client-Cert',
    'X-MS-CLIENT-PRINCIPAL-NAME',
    'Via',
    'X-Original-Forwarded-For',
  ])('never carry %s, which claims an origin', (name) => {
    expect(sent([name, 'evil'])).toEqual(sent([]))
  })

  it('lose what the config strips, by name or by beginning, however it is spelled', () => {
    const filter = headerFilter(['X-Shop', 'X-Cart-*'])
    const client = raw('x_shop: 1', 'X-SHOP: 1', 'X-Cart-Id: 1', 'x.cart.id: 1', 'X-Cart: kept', 'X-Shops: kept')
    const lines = filter.request(client, 'a:1', FORWARDED)
    expect(lines).toContain('X-Cart: kept\r\nX-Shops: kept\r\n')
    expect(lines).not.toContain(': 1\r\n')
  })

  it("lose what Connection names, but nothing of the gateway's", () => {
    const pairs = sent(
      raw('Connection: X-Hop, X-User-Id', 'Connection: TRACEPARENT,x-two', 'X-Hop: 1', 'X-Two: 2', 'X-Stay: 3'),
    )
    expect(pairs.filter(([name]) => !OWN_NAMES.includes(name))).toEqual([['x-stay', '3']])
    expect(OWN_NAMES.every((name) => valuesOf(pairs, name).length === 1)).toBe(true)
  })

  it('stay right after more names than it remembers', () => {
    const filter = headerFilter()
    filter.request(
      Array.from({ length: 2000 }, (_, at) => `x-${at}`),
      'a:1',
      FORWARDED,
    )
    expect(filter.request(['X_User_Id', 'evil', 'X-New', '1'], 'a:1', FORWARDED)).not.toContain('evil')
  })

  it('can be neither forged nor doubled', () => {
    const spelling = fc
      .constantFrom(...OWN_NAMES)
      .chain((name) =>
        fc
          .tuple(...[...name].map((c) => fc.constantFrom(c, c.toUpperCase(), ...(c === '-' ? ['_', '.', '~'] : []))))
          .map((cs) => cs.join('')),
      )
    const listed = fc.constantFrom(...OWN_NAMES).map((name) => ['Connection', name])
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            spelling.map((name) => [name, 'evil']),
            listed,
          ),
        ),
        (headers) => {
          expect(sent(headers.flat())).toEqual(sent([]))
        },
      ),
    )
  })
})

describe('response headers', () => {
  const filter = headerFilter()

  it('pass on as they are, doubles included, the length behind all others', () => {
    const headers = ['Content-Type: a/b', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Date: now']
    const length = 'content-length: 3'
    expect(filter.response(raw(length, ...headers), {})).toEqual(raw(...headers, length))
  })

  it('lose what was meant for the gateway alone', () => {
    const headers = raw('Connection: close, X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'Transfer-Encoding: chunked')
    expect(filter.response([...headers, ...raw('Upgrade: h2c', 'Trailer: x', 'ETag: "1"')], {})).toEqual(
      raw('ETag: "1"'),
    )
  })

  it('lose what the gateway sets itself, save where values add up', () => {
    const headers = raw('X-Request-Id: theirs', 'Vary: accept-encoding')
    expect(filter.response(headers, { 'x-request-id': 'ours', vary: 'origin' })).toEqual(raw('Vary: accept-encoding'))
  })
})
