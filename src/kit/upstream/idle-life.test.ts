import { describe, expect, it } from 'vitest'
import { IdleLife } from './idle-life.ts'

function lifeKept(keptMs: number): IdleLife {
  const life = new IdleLife()
  life.keptFor(keptMs)
  return life
}

describe('IdleLife', () => {
  it('vouches for no idle connection while nothing is known', () => {
    expect(new IdleLife().outlasts(0, 0)).toBe(false)
  })

  it('vouches for half the age that others were seen to reach, less what a busy loop hides', () => {
    const life = lifeKept(1_000)
    expect(life.outlasts(449, 0)).toBe(true)
    expect(life.outlasts(450, 0)).toBe(false)
  })

  it('goes by the shortest life seen, not the last or the longest', () => {
    const life = lifeKept(4_000)
    for (const idleMs of [900, 300, 600]) life.closedAfter(idleMs, 0)
    life.keptFor(2_000)
    expect(life.outlasts(99, 0)).toBe(true)
    expect(life.outlasts(100, 0)).toBe(false)
  })

  it('vouches for none of an upstream that closes after a few milliseconds', () => {
    const life = lifeKept(4_000)
    life.closedAfter(3, 0)
    life.keptFor(4_000)
    expect(life.outlasts(0, 0)).toBe(false)
  })

  it('remembers a closing for 10 s at least and 20 s at most, and wants the age proven anew', () => {
    const life = lifeKept(4_000)
    life.closedAfter(3, 5_000)
    expect(life.outlasts(0, 25_001)).toBe(false)
    life.closedAfter(3, 30_000)
    life.keptFor(4_000)
    expect(life.outlasts(0, 40_001)).toBe(false)
    expect(life.outlasts(1_000, 50_002)).toBe(true)
  })

  it('lets a connection be handed on at once unless closings come within what a busy loop hides', () => {
    const life = new IdleLife()
    expect(life.closesAtOnce(0)).toBe(false)
    life.closedAfter(101, 0)
    expect(life.closesAtOnce(0)).toBe(false)
    life.closedAfter(100, 0)
    expect(life.closesAtOnce(0)).toBe(true)
  })

  it('knows nothing of the next server at the same address', () => {
    const life = lifeKept(4_000)
    life.closedAfter(3, 0)
    life.forget()
    expect(life.outlasts(0, 0)).toBe(false)
    life.keptFor(4_000)
    expect(life.outlasts(1_000, 0)).toBe(true)
  })
})
