import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSealer } from './sealed-values.ts'

const sealer = createSealer(randomBytes(32))

describe('createSealer', () => {
  it('opens what it sealed, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '\0', 'é', '€', '🦉') }), (text) => {
        expect(sealer.open(sealer.seal(text, 'a/b/c'), 'a/b/c')).toBe(text)
      }),
    )
  })

  it('seals the same text differently each time, and hides it', () => {
    const one = sealer.seal('hunter2hunter2', 'a')
    expect(one).not.toBe(sealer.seal('hunter2hunter2', 'a'))
    expect(Buffer.from(one.slice(3), 'base64url').includes('hunter2')).toBe(false)
  })

  it('opens nothing elsewhere, with another key, or altered', () => {
    const sealed = sealer.seal('x', 'user/production/password')
    expect(() => sealer.open(sealed, 'order/production/password')).toThrow()
    expect(() => createSealer(randomBytes(32)).open(sealed, 'user/production/password')).toThrow()
    const bytes = Buffer.from(sealed.slice(3), 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const altered = Buffer.from(bytes)
      altered[at] = (altered[at] ?? 0) ^ 1
      expect(() => sealer.open(`v1.${altered.toString('base64url')}`, 'user/production/password')).toThrow()
    }
    for (const broken of ['', 'v1.', 'v1.AAAA', sealed.slice(3)]) expect(() => sealer.open(broken, 'a')).toThrow()
  })
})
