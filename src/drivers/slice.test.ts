import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Slice } from './slice.ts'

afterEach(() => {
  vi.useRealTimers()
})

async function work(done: string[], name: string, pieces: number): Promise<void> {
  const slice = new Slice()
  for (let piece = 0; piece < pieces; piece++) {
    if (piece > 0) await slice.next()
    done.push(name)
  }
}

/** How many pieces were done at the end of each turn of the loop, until all were. */
async function doneByTurn(done: readonly string[], most: number, ms = 0): Promise<number[]> {
  const seen: number[] = []
  for (; done.length < most; seen.push(done.length)) {
    await nextTurn()
    vi.advanceTimersByTime(ms)
  }
  return seen
}

describe('Slice', () => {
  it('is over after a while, until it is this work’s turn again', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const slice = new Slice()
    expect(slice.isOver).toBe(false)
    vi.advanceTimersByTime(2)
    expect(slice.isOver).toBe(true)
    await slice.next()
    expect(slice.isOver).toBe(false)
  })

  it('is one at a time, each in its order, with many turns of the loop between them', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const done: string[] = []
    const works = ['a', 'b', 'c'].map((name) => work(done, name, 3))
    const seen = await doneByTurn(done, 9)
    await Promise.all(works)
    for (let count = 3; count < 9; count++) expect(seen.filter((one) => one === count).length).toBeGreaterThan(10)
    expect(done.join('')).toBe('abcabcabc')
  })

  it('comes in time where others could use the loop alone', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const done: string[] = []
    const begun = work(done, 'a', 3)
    expect((await doneByTurn(done, 3, 5)).length).toBeLessThan(10)
    await begun
  })
})
