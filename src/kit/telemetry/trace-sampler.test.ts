import { describe, expect, it } from 'vitest'
import { createTraceSampler } from './trace-sampler.ts'

function kept(keep: () => boolean, tries: number): number {
  let count = 0
  for (let i = 0; i < tries; i++) if (keep()) count++
  return count
}

describe('createTraceSampler', () => {
  it('keeps everything up to the rate and no more', () => {
    let now = 0
    const keep = createTraceSampler(100, { monotonic: () => now })
    expect(kept(keep, 1000)).toBe(100)
    now = 500
    expect(kept(keep, 1000)).toBe(50)
  })

  it('saves up no more than one second', () => {
    let now = 0
    const keep = createTraceSampler(100, { monotonic: () => now })
    kept(keep, 1000)
    now = 60_000
    expect(kept(keep, 1000)).toBe(100)
  })

  it('keeps nothing at rate 0', () => {
    expect(kept(createTraceSampler(0, { monotonic: () => 1000 }), 10)).toBe(0)
  })
})
