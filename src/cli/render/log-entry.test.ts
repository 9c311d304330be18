import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { formatLogEntry, type PrintableEntry } from './log-entry.ts'

const ENTRY: PrintableEntry = {
  timestamp: '2026-11-22T12:00:00.250Z',
  level: 'INFO',
  service: 'order-service',
  message: 'order 17 is paid',
}
const line = (more: Partial<PrintableEntry> = {}) => formatLogEntry({ ...ENTRY, ...more }, { colour: false })

describe('formatLogEntry', () => {
  it('has a stack trace as lines below it, each of which shows that it is no entry', () => {
    const message = 'Error: no\tsuch table\r\n\tat Shop.open (shop.ts:3)\n12:00:00.250 INFO forged\u001b[2K\r\n\n'
    expect(line({ message, metadata: { code: 3 } })).toBe(
      [
        '12:00:00.250 INFO     order-service   Error: no\\tsuch table code=3',
        '             ¦   at Shop.open (shop.ts:3)',
        '             ¦ 12:00:00.250 INFO forged\\u001b[2K',
      ].join('\n'),
    )
    expect(line({ message: 'Error: x\n\nat y' })).toMatch(/ Error: x\n {13}¦\n {13}¦ at y$/)
  })

  it('is one line: time, level, service, message, metadata', () => {
    expect(line()).toMatchInlineSnapshot(`"12:00:00.250 INFO     order-service   order 17 is paid"`)
    expect(
      line({ metadata: { order_id: 17, path: '/api/orders', note: 'two words', none: undefined } }),
    ).toMatchInlineSnapshot(
      `"12:00:00.250 INFO     order-service   order 17 is paid order_id=17 path=/api/orders note="two words""`,
    )
  })

  it('shows lists and objects as JSON, failures by name and message', () => {
    const error = { name: 'TypeError', message: 'no "id"', stack: 'TypeError: no\n    at x.ts:1' }
    expect(line({ level: 'CRITICAL', metadata: { error, ids: [1, 2], where: { a: null } } })).toMatchInlineSnapshot(
      `"12:00:00.250 CRITICAL order-service   order 17 is paid error="TypeError: no \\"id\\"" ids=[1,2] where={"a":null}"`,
    )
  })

  it('names the trace from WARNING up', () => {
    const trace = { trace_id: '0af7651916cd43dd8448eb211c80319c' }
    expect(line(trace)).not.toContain('trace=')
    expect(line({ ...trace, level: 'WARNING' })).toContain(' trace=0af7651916cd43dd8448eb211c80319c')
  })

  it('cuts long values', () => {
    expect(line({ metadata: { long: 'x'.repeat(1_000) } })).toHaveLength(line().length + ' long=…'.length + 300)
  })

  it('colours level and service when asked to', () => {
    expect(formatLogEntry({ ...ENTRY, level: 'ERROR', metadata: { id: 1 } }, { colour: true })).toMatchInlineSnapshot(
      `"[2m12:00:00.250[22m [31mERROR   [39m [92morder-service  [39m order 17 is paid [2mid=[22m1"`,
    )
  })

  it('has no escape codes, and no more lines than its message, whatever the entry holds', () => {
    const text = fc.string({ unit: 'binary' })
    const value = fc.oneof(text, fc.jsonValue(), fc.record({ name: text, message: text, stack: text }))
    const entry = fc.record({
      timestamp: fc.oneof(text, fc.constant(ENTRY.timestamp)),
      level: fc.constantFrom(...LEVELS),
      service: text,
      message: text,
      trace_id: text,
      metadata: fc.dictionary(text, value),
    })
    const property = fc.property(entry, (given) => {
      const plain = formatLogEntry(given, { colour: false })
      const [, ...below] = plain.split('\n')
      expect(plain.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      expect(below.filter((part) => !/^ *¦/.test(part))).toEqual([])
      expect(below.length).toBeLessThan(given.message.split('\n').length)
      expect(stripVTControlCharacters(formatLogEntry(given, { colour: true }))).toBe(plain)
    })
    fc.assert(property, { numRuns: 300 })
  })
})
