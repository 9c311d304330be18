import { describe, expect, it } from 'vitest'
import { inGreedyTurn } from './greedy-turns.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('inGreedyTurn', () => {
  it('lets one go on in each turn of the loop, first come, first served', async () => {
    const ran: number[] = []
    for (let n = 0; n < 100; n++) inGreedyTurn(() => ran.push(n) > 0)
    let most = 0
    for (let turns = 0; ran.length < 100 && turns < 200; turns++) {
      const before = ran.length
      await turn()
      most = Math.max(most, ran.length - before)
    }
    expect(ran).toEqual(Array.from({ length: 100 }, (_, n) => n))
    expect(most).toBe(1)
  })

  it('puts who asks again behind all others, and gives the turn of one who has gone to the next', async () => {
    const ran: string[] = []
    let left = 6
    const greedy = () => {
      ran.push('greedy')
      if (--left > 0) inGreedyTurn(greedy)
      return true
    }
    inGreedyTurn(greedy)
    for (let gone = 0; gone < 50; gone++) inGreedyTurn(() => false)
    inGreedyTurn(() => ran.push('other') > 0)
    while (ran.length < 2) await turn()
    expect(ran).toEqual(['greedy', 'other'])
    while (left > 0) await turn()
    expect(ran).toHaveLength(7)
  })
})
