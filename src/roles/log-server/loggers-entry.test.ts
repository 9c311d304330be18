import { describe, expect, it } from 'vitest'
import { asEntry } from './loggers-entry.ts'

describe('an entry of somebody’s logger', () => {
  it.each([
    [
      'pino',
      { level: 30, time: 1764208000000, pid: 7, hostname: 'h', name: 'shop', msg: 'sold' },
      { level: 30, timestamp: 1764208000000, instance: 'h', service: 'shop', message: 'sold', metadata: { pid: 7 } },
    ],
    [
      'zap',
      { level: 'info', ts: 1764208000.25, caller: 'a.go:3', msg: 'sold', service: 'shop' },
      { level: 'info', timestamp: 1764208000.25, service: 'shop', message: 'sold', metadata: { caller: 'a.go:3' } },
    ],
    [
      'structlog',
      { event: 'sold', level: 'info', timestamp: '2026-11-27T00:00:00Z', service: 'shop' },
      { message: 'sold', level: 'info', timestamp: '2026-11-27T00:00:00Z', service: 'shop' },
    ],
    [
      'python-json-logger',
      { levelname: 'WARNING', message: 'low', name: 'shop', '@timestamp': '2026-11-27T00:00:00Z' },
      { level: 'WARNING', message: 'low', service: 'shop', timestamp: '2026-11-27T00:00:00Z' },
    ],
    [
      'log4j2, in ECS',
      {
        'log.level': 'WARN',
        message: 'low',
        service: 'shop',
        trace: { id: '4bf92f3577b34da6a3ce929d0e0e4736' },
        mdc: { spanId: '00f067aa0ba902b7', user: 7 },
      },
      {
        level: 'WARN',
        message: 'low',
        service: 'shop',
        trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
        span_id: '00f067aa0ba902b7',
        metadata: { mdc: { user: 7 } },
      },
    ],
  ])('of %s is one of ours', (_, theirs, ours) => {
    expect(asEntry(theirs)).toEqual(ours)
  })

  it('is whose who sends them, where they do not say so', () => {
    expect(asEntry({ level: 'info', message: 'm' }, 'shop')).toEqual({ level: 'info', message: 'm', service: 'shop' })
    expect(asEntry({ level: 'info', message: 'm', name: 'shop.views' }, 'shop')).toEqual({
      level: 'info',
      message: 'm',
      service: 'shop',
      metadata: { name: 'shop.views' },
    })
    expect(asEntry({ level: 'info', message: 'm', service: null }, 'shop')).toMatchObject({ service: 'shop' })
    const theirs = { level: 'info', message: 'm', service: 'other' }
    expect(asEntry(theirs, 'shop')).toBe(theirs)
  })

  it('has no message where pino wrote none, and is missed where anybody else did', () => {
    expect(asEntry({ level: 30, time: 1764208000000, name: 'shop', a: 1 })).toMatchObject({ message: '' })
    expect(asEntry({ level: 'info', service: 'shop', mesage: 'typo' })).not.toHaveProperty('message')
  })

  it.each([
    { time: '08:00' },
    { time: 12.5 },
    { ts: null },
    { hostname: 7 },
    { severity: 3 },
    { severity: 'loud' },
    { traceId: '7' },
  ])('leaves alone what is none of ours, but by its name: %j', (mine) => {
    const entry = { service: 's', message: 'm', level: 'INFO' }
    expect(asEntry({ ...entry, ...mine })).toEqual({ ...entry, metadata: mine })
  })

  it('leaves out what is too large, and says so', () => {
    const entry = { service: 's', message: 'm', level: 'INFO' }
    const body = 'x'.repeat(70_000)
    expect(asEntry({ ...entry, body, id: 7 })).toEqual({ ...entry, metadata: { id: 7, left_out: ['body'] } })
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`field-${n}-${'"'.repeat(20)}`, n]))
    const { metadata } = asEntry({ ...entry, ...many }) as { metadata: object }
    expect(JSON.stringify(metadata).length).toBeLessThanOrEqual(65_536)
    expect(metadata).toMatchObject({ left_out: expect.arrayContaining([expect.stringContaining('field-')]) })
  })

  it('keeps what is given by our names, and the other beside it', () => {
    const both = { message: 'a', msg: 'b', level: 'INFO', service: 's', name: 'n', metadata: { msg: 'c', k: 1 }, x: 2 }
    expect(asEntry(both)).toEqual({
      message: 'a',
      level: 'INFO',
      service: 's',
      metadata: { msg: 'c', k: 1, name: 'n', x: 2 },
    })
  })

  it('leaves ours as they are, and what is none', () => {
    const ours = { message: 'a', level: 'INFO', service: 's', timestamp: null }
    expect(asEntry(ours)).toBe(ours)
    for (const none of [1, 'a', null, [1]]) expect(asEntry(none)).toBe(none)
    expect(asEntry({ ...ours, metadata: 'text', x: 1 })).toMatchObject({ metadata: 'text' })
  })

  it('hides what a name and a value show together', () => {
    const header = { level: 'info', name: 'X-Api-Key', message: 'hdr', value: 'abcdefgh123' }
    expect(asEntry(header)).toMatchObject({ service: 'X-Api-Key', metadata: { value: '[hidden]' } })
  })

  it('takes no name for more than a name', () => {
    const hostile = asEntry(JSON.parse('{"message":"a","__proto__":{"polluted":1},"constructor":2}'))
    expect(hostile).not.toHaveProperty('polluted')
    expect(JSON.stringify(hostile)).toBe('{"message":"a","metadata":{"__proto__":{"polluted":1},"constructor":2}}')
  })
})
