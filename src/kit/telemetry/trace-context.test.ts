import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTraceparent, readB3, readTraceContext, writeTraceContext } from './trace-context.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const traceparent = `00-${TRACE}-${SPAN}-01`

describe('a traceparent', () => {
  it.each([
    [`00-${TRACE}-${SPAN}-00`, { sampled: false }],
    [`00-${TRACE}-${SPAN}-01`, { sampled: true }],
    [`00-${TRACE}-${SPAN}-03`, { sampled: true, random: true }],
    [`00-${TRACE}-${SPAN}-ff`, { sampled: true, random: true }],
    [`cc-${TRACE}-${SPAN}-01`, { sampled: true }],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, { sampled: true }],
  ])('%s is read', (text, flags) => {
    expect(readTraceContext({ traceparent: text })).toEqual({ traceId: TRACE, spanId: SPAN, ...flags })
  })

  it.each([
    '',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-`,
    `00-${TRACE}-${SPAN}-01-what-the-future-will-be-like`,
    `00-${TRACE}-${SPAN}-01.what-the-future-will-not-be-like`,
    `cc-${TRACE}-${SPAN}-01.what-the-future-will-not-be-like`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-0`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-.0`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}1-01`,
    `0-${TRACE}-${SPAN}-01`,
    `.0-${TRACE}-${SPAN}-01`,
    `${traceparent}, ${traceparent}`,
  ])('%j begins a new trace', (text) => {
    expect(readTraceContext({ traceparent: text })).toBeUndefined()
  })

  it('goes on in version 00, with the flags that are known', () => {
    for (const [from, to] of [
      [`cc-${TRACE}-${SPAN}-fe-more`, '02'],
      [`00-${TRACE}-${SPAN}-03`, '03'],
    ] as const) {
      const span = readTraceContext({ traceparent: from })
      expect(span && formatTraceparent(span)).toBe(`00-${TRACE}-${SPAN}-${to}`)
    }
  })
})

describe('a tracestate', () => {
  const stateOf = (tracestate: string) => readTraceContext({ traceparent, tracestate })?.state
  const members = (count: number) => Array.from({ length: count }, (_, at) => `bar${at}=${at}`)

  it.each([
    ['foo=1', 'foo=1'],
    ['foo=1 \t , \t bar=2', 'foo=1,bar=2'],
    ['foo=1,,bar=2,', 'foo=1,bar=2'],
    ['foo=1, bar=2', 'foo=1,bar=2'],
    ['fw529a3039@dt=FfDAjYYzUBB0VBJT', 'fw529a3039@dt=FfDAjYYzUBB0VBJT'],
    ['0@t=1', '0@t=1'],
    ['a_-*/0=!"#$ %&', 'a_-*/0=!"#$ %&'],
    [`${'z'.repeat(256)}=1`, `${'z'.repeat(256)}=1`],
    [`t${'0'.repeat(240)}@v${'0'.repeat(13)}=1`, `t${'0'.repeat(240)}@v${'0'.repeat(13)}=1`],
    [members(32).join(','), members(32).join(',')],
  ])('%s is passed on', (given, passed) => {
    expect(stateOf(given)).toBe(passed)
  })

  it.each([
    '',
    ',',
    'foo',
    'foo=',
    '=1',
    'foo =1',
    'FOO=1',
    '0foo=1',
    'foo@=1',
    'foo@bar@baz=1',
    '@foo=1',
    'foo=bar=baz',
    'foo=\u00e9',
    'foo=a\tb',
    'foo=1,foo=2',
    `${'z'.repeat(257)}=1`,
    `t${'0'.repeat(241)}@v=1`,
    `t@v${'0'.repeat(14)}=1`,
    `foo=${'v'.repeat(257)}`,
    members(33).join(','),
  ])('%j is left out', (given) => {
    expect(stateOf(given)).toBeUndefined()
  })

  it('takes no longer for space than for anything else', () => {
    const began = performance.now()
    for (let n = 0; n < 20; n++) stateOf(`a=1${' '.repeat(16_000)}b`)
    expect(performance.now() - began).toBeLessThan(500)
  })

  it('is left out where the traceparent is not valid', () => {
    expect(readTraceContext({ tracestate: 'foo=1' })).toBeUndefined()
    expect(readTraceContext({ traceparent: `${traceparent}-`, tracestate: 'foo=1' })).toBeUndefined()
  })

  it('is cut by whole members beyond 512 characters, long ones first', () => {
    const long = `long=${'v'.repeat(200)}`
    const short = Array.from({ length: 20 }, (_, at) => `k${at}=${'v'.repeat(20)}`)
    expect(stateOf([...short.slice(0, 10), long, ...short.slice(10)].join(','))).toBe(short.join(','))
    const passed = stateOf(short.map((member) => `${member}${'w'.repeat(20)}`).join(',')) ?? ''
    expect(passed.length).toBeLessThanOrEqual(512)
    expect(passed.startsWith('k0=')).toBe(true)
  })

  it('comes out as it went in, whatever it is', () => {
    const key = fc.stringMatching(/^[a-z][a-z0-9_*/-]{0,9}$/)
    const value = fc.stringMatching(/^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,9}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/)
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, minLength: 1, maxLength: 20 }),
        (pairs) => {
          // space in front of a value is the value's own, in front of a key it isn't
          const tracestate = pairs.map(([name, text]) => `${name}=${text}`).join(',')
          const span = readTraceContext({ traceparent, tracestate })
          expect(span && writeTraceContext(span)).toEqual({ traceparent, tracestate })
        },
      ),
    )
  })
})

describe('a B3 context', () => {
  it.each([
    [{ b3: `${TRACE}-${SPAN}-1` }, true],
    [{ b3: `${TRACE}-${SPAN}-0-05e3ac9a4f6e3b90` }, false],
    [{ b3: `${TRACE}-${SPAN}-d` }, true],
    [{ b3: `${TRACE}-${SPAN}` }, true],
    [{ 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '0' }, false],
    [{ 'x-b3-traceid': TRACE.toUpperCase(), 'x-b3-spanid': SPAN, 'x-b3-sampled': 'true' }, true],
    [{ 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-flags': '1' }, true],
  ])('%o is read', (fields, sampled) => {
    expect(readB3(fields)).toEqual({ traceId: TRACE, spanId: SPAN, sampled })
  })

  it('of 64 bits is filled up with zeros', () => {
    expect(readB3({ b3: `${TRACE.slice(16)}-${SPAN}-1` })?.traceId).toBe(`${'0'.repeat(16)}${TRACE.slice(16)}`)
  })

  it.each([
    {},
    { b3: '0' },
    { b3: `${TRACE}-${SPAN}-2` },
    { b3: `${'0'.repeat(32)}-${SPAN}-1` },
    { 'x-b3-traceid': TRACE },
  ])('%o begins a new trace', (fields) => {
    expect(readB3(fields)).toBeUndefined()
  })
})
