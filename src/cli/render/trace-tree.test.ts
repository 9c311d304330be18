import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Trace, TraceSpan } from '../../roles/log-server/contract.ts'
import { textWidth } from './text-width.ts'
import { formatTraceTree } from './trace-tree.ts'

const AT = Date.parse('2026-11-22T12:00:00Z')

function span(
  id: string,
  parent: string | null,
  service: string,
  operation: string,
  from: number,
  to: number,
  more: Partial<TraceSpan> = {},
): TraceSpan {
  return {
    span_id: id,
    parent_span_id: parent,
    service,
    operation,
    kind: 'server',
    start: new Date(AT + from).toISOString(),
    duration_ms: to - from,
    status: 'ok',
    tags: {},
    ...more,
  }
}
const trace = (...spans: TraceSpan[]): Trace => ({ trace_id: '0af7651916cd43dd8448eb211c80319c', spans })
const tree = (given: Trace, columns?: number) =>
  `\n${formatTraceTree(given, { colour: false, ...(columns !== undefined && { columns }) })}\n`

const ORDER = [
  span('a', null, 'api-gateway', 'POST /gateway/api/orders', 0, 42),
  span('b', 'a', 'order-service', 'POST /api/orders', 3, 40),
  span('c', 'b', 'user-service', 'GET /api/users/:id', 5, 9.5),
  span('d', 'b', 'broker', 'publish order.created', 45, 48.2),
  span('e', 'd', 'payment-service', 'order.created', 52, 190, { status: 'error', tags: { error: 'card refused' } }),
  span('f', 'e', 'broker', 'publish payment.processed', 186, 189),
]

describe('formatTraceTree', () => {
  it('shows who called whom, and when', () => {
    expect(tree(trace(...ORDER.toReversed()))).toMatchInlineSnapshot(`
      "
      trace 0af7651916cd43dd8448eb211c80319c  6 spans, 5 services, 190 ms, 1 failed
      api-gateway POST /gateway/api/orders                42.0 ms ━━━━
      └─ order-service POST /api/orders                   37.0 ms ━━━━
         ├─ user-service GET /api/users/:id               4.50 ms ━
         └─ broker publish order.created                  3.20 ms     ━
            └─ ✗ payment-service order.created (card re…   138 ms      ━━━━━━━━━━━━━━━
               └─ broker publish payment.processed        3.00 ms                    ━
      "
    `)
  })

  it('uses a wide terminal, and does without bars on a narrow one', () => {
    expect(tree(trace(...ORDER), 120)).toMatchInlineSnapshot(`
      "
      trace 0af7651916cd43dd8448eb211c80319c  6 spans, 5 services, 190 ms, 1 failed
      api-gateway POST /gateway/api/orders                                              42.0 ms ━━━━━━━
      └─ order-service POST /api/orders                                                 37.0 ms ━━━━━━
         ├─ user-service GET /api/users/:id                                             4.50 ms ━
         └─ broker publish order.created                                                3.20 ms        ━
            └─ ✗ payment-service order.created (card refused)                            138 ms         ━━━━━━━━━━━━━━━━━━━━━━
               └─ broker publish payment.processed                                      3.00 ms                              ━
      "
    `)
    expect(tree(trace(...ORDER), 44)).toMatchInlineSnapshot(`
      "
      trace 0af7651916cd43dd8448eb211c80319c  6 s…
      api-gateway POST /gateway/api/orde…  42.0 ms
      └─ order-service POST /api/orders    37.0 ms
         ├─ user-service GET /api/users/…  4.50 ms
         └─ broker publish order.created   3.20 ms
            └─ ✗ payment-service order.c…   138 ms
               └─ broker publish payment…  3.00 ms
      "
    `)
  })

  it('keeps spans whose parent is missing, marked', () => {
    const orphan = span('x', 'gone', 'order-service', 'payment.processed', 20, 30)
    const child = span('y', 'x', 'user-service', 'GET /api/users/:id', 21, 22)
    const second = span('z', null, 'payment-service', 'sweep', 60, 70_000)
    expect(tree(trace(child, orphan, second, ...ORDER.slice(0, 3)))).toMatchInlineSnapshot(`
      "
      trace 0af7651916cd43dd8448eb211c80319c  6 spans, 4 services, 1m 10s
      api-gateway POST /gateway/api/orders                42.0 ms ━
      ├─ order-service POST /api/orders                   37.0 ms ━
      │  └─ user-service GET /api/users/:id               4.50 ms ━
      ├╌ order-service payment.processed                  10.0 ms ━
      │  └─ user-service GET /api/users/:id               1.00 ms ━
      └╌ payment-service sweep                             1m 09s ━━━━━━━━━━━━━━━━━━━━
      "
    `)
  })

  it('makes one tree without any root, and of a circle', () => {
    const first = span('b', 'c', 'order-service', 'POST /api/orders', 3, 40)
    const second = span('c', 'b', 'user-service', 'GET /api/users/:id', 5, 9.5)
    expect(tree(trace(...ORDER.slice(1, 3), span('x', 'gone', 's', 'o', 1, 5_000)))).toMatchInlineSnapshot(`
      "
      trace 0af7651916cd43dd8448eb211c80319c  3 spans, 3 services, 5.00 s
      s o                                                  5.00 s ━━━━━━━━━━━━━━━━━━━━
      └╌ order-service POST /api/orders                   37.0 ms ━
         └─ user-service GET /api/users/:id               4.50 ms ━
      "
    `)
    expect(tree(trace(first, second))).toMatchInlineSnapshot(`
      "
      trace 0af7651916cd43dd8448eb211c80319c  2 spans, 2 services, 37.0 ms
      order-service POST /api/orders                      37.0 ms ━━━━━━━━━━━━━━━━━━━━
      └─ user-service GET /api/users/:id                  4.50 ms  ━━
      "
    `)
  })

  it('says so when there is nothing', () => {
    expect(tree(trace())).toMatchInlineSnapshot(`
      "
      trace 0af7651916cd43dd8448eb211c80319c  0 spans, 0 services, 0.00 ms
      "
    `)
  })

  it('keeps a very deep tree readable', () => {
    const deep = Array.from({ length: 5_000 }, (_, i) =>
      span(`${i}`, i ? `${i - 1}` : null, 's', `level ${i}`, i, 5_000),
    )
    const lines = formatTraceTree(trace(...deep), { colour: false }).split('\n')
    expect(lines).toHaveLength(5_001)
    expect(lines.at(-1)).toMatch(/⋯ .*└─ s level 4999 /)
  })

  it('shows every span on a line of its own, within the width, without escape codes', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }))
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
    const given = fc.record({
      span_id: id,
      parent_span_id: fc.option(id),
      service: text,
      operation: text,
      kind: fc.constant('server'),
      start: fc.integer({ min: 0, max: 1_000 }).map((ms) => new Date(AT + ms).toISOString()),
      duration_ms: fc.double({ min: 0, max: 1e7, noNaN: true }),
      status: fc.constantFrom('ok' as const, 'error' as const),
      tags: fc.dictionary(fc.constantFrom('error', 'x'), text),
    })
    const spans = fc.uniqueArray(given, { selector: (one) => one.span_id, maxLength: 6 })
    const property = fc.property(spans, fc.integer({ min: 30, max: 200 }), (list, columns) => {
      const plain = formatTraceTree(trace(...list), { colour: false, columns })
      const lines = plain.split('\n')
      expect(lines).toHaveLength(list.length + 1)
      for (const line of lines) {
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        expect(textWidth(line)).toBeLessThanOrEqual(columns)
      }
      const coloured = stripVTControlCharacters(formatTraceTree(trace(...list), { colour: true, columns }))
      expect(coloured.split('\n').map((line) => line.trimEnd())).toEqual(lines)
    })
    fc.assert(property, { numRuns: 300 })
  })
})
