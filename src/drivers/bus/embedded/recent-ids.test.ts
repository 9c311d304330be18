import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecentIds } from './recent-ids.ts'

describe('RecentIds', () => {
  it('finds every id of the window, and none that was never added', () => {
    const ids = fc.uniqueArray(fc.string({ maxLength: 8 }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(ids, fc.integer(), fc.integer({ min: 1, max: 50 }), (all, seed, window) => {
        const recent = new RecentIds(seed, window)
        for (const [index, id] of all.entries()) {
          const isIt = (offset: number) => all[offset - 1] === id
          expect(recent.find(recent.hash(id), isIt)).toBeUndefined()
          recent.add(recent.hash(id), index + 1)
        }
        for (const [index, id] of all.entries()) {
          if (index < all.length - window) continue
          expect(recent.find(recent.hash(id), (offset) => all[offset - 1] === id)).toBe(index + 1)
        }
      }),
    )
  })

  it('goes on to the next entry when the caller says that a hit is another id', () => {
    const recent = new RecentIds(1)
    recent.add(42, 1)
    recent.add(42, 2)
    expect(recent.find(42, (offset) => offset === 2)).toBe(2)
    expect(recent.find(42, () => false)).toBeUndefined()
  })

  it('forgets, so that its size stays bounded', () => {
    const recent = new RecentIds(1, 10)
    for (let offset = 1; offset <= 30; offset++) recent.add(recent.hash(`id-${offset}`), offset)
    expect(recent.find(recent.hash('id-1'), () => true)).toBeUndefined()
  })
})
