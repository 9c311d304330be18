import { describe, expect, it } from 'vitest'
import { ToldSequences } from './told-sequences.ts'

describe('sequences that were told', () => {
  it('reach as far as none is missing', () => {
    const told = new ToldSequences()
    told.add([1, 2, 5, 4])
    expect(told.upTo).toBe(2)
    told.add([7, 3])
    expect(told.upTo).toBe(5)
    told.add([2, 3])
    expect(told.upTo).toBe(5)
  })

  it('go on behind a gap that is filled', () => {
    const told = new ToldSequences()
    told.add([3, 12, 14, 11])
    told.fill(10)
    expect(told.upTo).toBe(12)
    told.fill(9)
    expect(told.upTo).toBe(12)
    told.add([13])
    expect(told.upTo).toBe(14)
  })

  it('are bounded: what lies too far beyond a gap is not told', () => {
    const told = new ToldSequences()
    told.add(Array.from({ length: 150_000 }, (_, n) => n + 2))
    told.fill(1)
    expect(told.upTo).toBe(100_001)
  })
})
