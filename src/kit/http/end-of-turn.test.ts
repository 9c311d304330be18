import { describe, expect, it } from 'vitest'
import { atEndOfTurn } from './end-of-turn.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('atEndOfTurn', () => {
  it('runs works in order, after the turn that asked for them', async () => {
    const ran: number[] = []
    for (const n of [1, 2, 3]) atEndOfTurn(() => ran.push(n))
    expect(ran).toEqual([])
    await turn()
    expect(ran).toEqual([1, 2, 3])
  })

  it('leaves to the next turn what a work asks for', async () => {
    const ran: string[] = []
    atEndOfTurn(() => {
      ran.push('first')
      atEndOfTurn(() => ran.push('second'))
    })
    await turn()
    await turn()
    expect(ran).toEqual(['first', 'second'])
  })
})
