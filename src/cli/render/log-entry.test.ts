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

  it('stays one line without escape codes, whatever the entry holds', () => {
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
      expect(plain).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      expect(stripVTControlCharacters(formatLogEntry(given, { colour: true }))).toBe(plain)
    })
    fc.assert(property, { numRuns: 300 })
  })
})
