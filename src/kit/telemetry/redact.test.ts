import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redact, redactText } from './redact.ts'

describe('redact', () => {
  it('hides the value of a secret name, at any depth', () => {
    expect(redact({ Password: 'hunter2', list: [{ cookie: { a: 'hunter2' } }], token: null })).toEqual({
      Password: '[hidden]',
      list: [{ cookie: '[hidden]' }],
      token: null,
    })
  })

  it('knows a secret wherever hideSecrets knows it', () => {
    const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl'
    const metadata = {
      headers: [{ name: 'Authorization', value: 'hunter2' }],
      [jwt]: 1,
      raw: ['Cookie', 'hunter2'],
      map: new Map([['token', 'hunter2']]),
      set: new Set(['--password', 'hunter2']),
    }
    expect(redact(metadata)).toEqual({
      headers: [{ name: 'Authorization', value: '[hidden]' }],
      '[hidden]': 1,
      raw: ['Cookie', '[hidden]'],
      map: { token: '[hidden]' },
      set: ['--password', '[hidden]'],
    })
  })

  it('leaves the rest as it is', () => {
    const metadata = { method: 'GET', status: 200, tokens: 12, ok: true, none: null, list: [1, 'two', { three: 3 }] }
    expect(redact(metadata)).toEqual(metadata)
  })

  it('is a copy: what changes later does not change the entry', () => {
    const order = { id: 1 }
    const copy = redact({ order })
    order.id = 2
    expect(copy).toEqual({ order: { id: 1 } })
  })

  it('writes down what JSON has no word for', () => {
    const cycle: Record<string, unknown> = { name: 'a' }
    cycle.self = cycle
    const values = {
      big: 10n,
      nan: Number.NaN,
      when: new Date(0),
      url: new URL('http://bob:pw@host/'),
      run: () => 1,
      symbol: Symbol('s'),
      map: new Map([['token', 'x']]),
      set: new Set([1]),
      bytes: Buffer.from('secret'),
      cycle,
    }
    expect(redact(values)).toEqual({
      big: '10',
      nan: 'NaN',
      when: '1970-01-01T00:00:00.000Z',
      url: 'http://[hidden]@host/',
      run: '[function]',
      symbol: 'Symbol(s)',
      map: { token: '[hidden]' },
      set: [1],
      bytes: '[6 bytes]',
      cycle: { name: 'a', self: '[circular]' },
    })
  })

  it('keeps the parts of an error', () => {
    const cause = Object.assign(new Error('connect http://a:b@c failed'), { code: 'ECONNREFUSED' })
    expect(redact({ error: new TypeError('no', { cause }) })).toEqual({
      error: {
        name: 'TypeError',
        message: 'no',
        stack: expect.stringContaining('redact.test.ts'),
        cause: {
          name: 'Error',
          message: 'connect http://[hidden]@c failed',
          code: 'ECONNREFUSED',
          stack: expect.any(String),
        },
      },
    })
  })

  it('survives getters that throw and objects that refuse to be read', () => {
    const hostile = {
      get field(): string {
        throw new Error('no')
      },
      proxy: new Proxy(
        {},
        {
          ownKeys() {
            throw new Error('no')
          },
        },
      ),
      json: {
        toJSON() {
          throw new Error('no')
        },
      },
    }
    expect(redact(hostile)).toEqual({ field: '[unreadable]', proxy: '[unreadable]', json: '[unreadable]' })
    expect(redact(hostile.proxy)).toEqual({ value: '[unreadable]' })
  })

  it('is bounded in depth, values and characters', () => {
    let deep: Record<string, unknown> = {}
    for (let i = 0; i < 10_000; i++) deep = { deep }
    expect(JSON.stringify(redact(deep))).toContain('[nested too deep]')
    expect(JSON.stringify(redact({ list: Array(100_000).fill(1) }))).toMatch(/^.{1,2000}… 99\d+ more"]}$/)
    const keys = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key${i}`, i]))
    expect(Object.keys(redact(keys)).length).toBeLessThan(600)
    expect(JSON.stringify(redact({ a: 'x'.repeat(1e6), b: 'y'.repeat(1e6) })).length).toBeLessThan(11_000)
  })

  it('takes __proto__ for a name like any other', () => {
    const copy = redact(JSON.parse('{"__proto__":{"token":"t"}}'))
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"token":"[hidden]"}}')
  })

  it('always gives something that can be serialised and holds none of the secrets', () => {
    const leaf = fc.oneof(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }), fc.string())
    const property = fc.property(fc.dictionary(fc.string(), leaf), (fields) => {
      const text = JSON.stringify(
        redact({ ...fields, nested: { ...fields, Password: 'hunter2' }, cookie: ['hunter2'] }),
      )
      expect(text).not.toContain('hunter2')
      expect(text.isWellFormed()).toBe(true)
      expect(text).not.toMatch(/[^\\](?:\\\\)*\\ud[89ab]/)
    })
    fc.assert(property, { numRuns: 300 })
  })
})

describe('redactText', () => {
  it('hides secrets', () => {
    expect(redactText('GET http://bob:pw@db/ failed: token=abc')).toBe('GET http://[hidden]@db/ failed: token=[hidden]')
  })

  it('cuts long texts, and half characters', () => {
    expect(redactText('x'.repeat(10_000))).toBe(`${'x'.repeat(8_192)}… 1808 more characters`)
    expect(redactText('a\ud800b')).toBe('a\ufffdb')
  })
})
