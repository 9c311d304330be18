import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LruMap } from './lru-map.ts'

describe('LruMap', () => {
  it('lets go of the entry that was unused longest', () => {
    const map = new LruMap<string, number>(2)
    map.set('a', 1)
    map.set('b', 2)
    expect(map.get('a')).toBe(1)
    map.set('c', 3)
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([1, undefined, 3])
  })

  it('keeps a value in place of the one its key had, without letting go of another', () => {
    const map = new LruMap<string, number>(2)
    map.set('a', 1)
    map.set('b', 2)
    map.set('b', 3)
    expect([map.size, map.get('a'), map.get('b')]).toEqual([2, 1, 3])
    map.delete('a')
    map.delete('never there')
    expect([map.size, map.get('a')]).toEqual([1, undefined])
  })

  it('never holds more than its limit, and always what was used last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.integer({ min: 0, max: 9 })), (limit, keys) => {
        const map = new LruMap<number, number>(limit)
        for (const key of keys) {
          map.set(key, key)
          expect(map.get(key)).toBe(key)
          expect(map.size).toBeLessThanOrEqual(limit)
        }
        const recent = [...new Set(keys.toReversed())].slice(0, limit)
        expect(recent.map((key) => map.get(key))).toEqual(recent)
      }),
    )
  })
})
