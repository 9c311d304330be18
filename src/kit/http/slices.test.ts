import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Slice } from './slices.ts'

async function work(done: string[], name: string, pieces: number): Promise<void> {
  const slice = await Slice.begin()
  for (let piece = 0; piece < pieces; piece++) {
    if (piece > 0) await slice.next()
    done.push(name)
  }
}

describe('Slice', () => {
  it('is over after a while', async () => {
    const slice = await Slice.begin()
    while (!slice.isOver);
    await slice.next()
    expect(slice.isOver).toBe(false)
  })

  it('lets one work go on in a turn of the loop, each in its order', async () => {
    const done: string[] = []
    const works = ['a', 'b', 'c'].map((name) => work(done, name, 2))
    await Promise.resolve()
    const seen: number[] = []
    for (let turn = 0; turn < 6; turn++) {
      seen.push(done.length)
      await nextTurn()
    }
    await Promise.all(works)
    const grown = seen.slice(1).map((count, turn) => count - (seen[turn] ?? 0))
    expect(Math.max(...grown)).toBe(1)
    expect(done.slice(-3)).toEqual(['a', 'b', 'c'])
  })

  it('has new work wait for what waits already', async () => {
    const slice = await Slice.begin()
    const order: string[] = []
    const goesOn = slice.next().then(() => order.push('begun'))
    const comes = Slice.begin().then(() => order.push('new'))
    await Promise.all([goesOn, comes])
    expect(order).toEqual(['begun', 'new'])
  })
})
