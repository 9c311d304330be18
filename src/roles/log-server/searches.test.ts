import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Searches } from './searches.ts'

const clock = { monotonic: () => performance.now() }
const never = new AbortController().signal

describe('Searches', () => {
  it('takes one step at a time, and lets the search go first that has had least', async () => {
    let now = 0
    const searches = new Searches({ monotonic: () => now })
    const order: string[] = []
    let atOnce = 0
    const search = (name: string, steps: readonly number[]) =>
      searches.run(never, async ({ step }) => {
        for (const ms of steps) {
          await step(async () => {
            expect(++atOnce).toBe(1)
            order.push(name)
            now += ms
            await nextTurn()
            atOnce--
          })
        }
      })
    const large = [search('a', [10, 10, 10]), search('b', [30, 30])]
    await nextTurn()
    await Promise.all([...large, search('small', [1])])
    expect(order).toEqual(['a', 'b', 'small', 'a', 'b', 'a'])
    expect(searches.underWay).toBe(0)
  })

  it('begins with the search that asks for least', async () => {
    const searches = new Searches(clock)
    const order: number[] = []
    const search = (headMs: number) =>
      searches.run(never, async ({ step }) => step(async () => void order.push(headMs)), headMs)
    await Promise.all([32, 8, 2, 8, 0].map(search))
    expect(order).toEqual([32, 0, 2, 8, 8])
  })

  it('refuses one more than may be under way, and says when to come again', async () => {
    const searches = new Searches(clock, { most: 2 })
    const held = Promise.withResolvers<void>()
    const two = [1, 2].map(() => searches.run(never, async ({ step }) => step(() => held.promise)))
    await expect(searches.run(never, async () => 1)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      headers: { 'retry-after': '1' },
    })
    held.resolve()
    await Promise.all(two)
    expect(await searches.run(never, async ({ step }) => step(async () => 'done'))).toBe('done')
  })

  it('gives no turn to a search whose time is over or whose caller has gone', async () => {
    const searches = new Searches(clock, { patienceMs: 20 })
    const held = Promise.withResolvers<void>()
    const caller = new AbortController()
    const first = searches.run(never, async ({ step }) => step(() => held.promise))
    const late = searches.run(never, async ({ step }) => step(async () => 'never'))
    const gone = searches.run(caller.signal, async ({ step }) => step(async () => 'never'))
    caller.abort()
    expect(await gone).toBeUndefined()
    expect(await late).toBeUndefined()
    held.resolve()
    await first
    expect(await searches.run(caller.signal, async ({ step }) => step(async () => 'never'))).toBeUndefined()
    expect(searches.underWay).toBe(0)
  })

  it('goes on after a step that fails', async () => {
    const searches = new Searches(clock)
    const failing = searches.run(never, async ({ step }) => step(() => Promise.reject(new Error('no'))))
    const next = searches.run(never, async ({ step }) => step(async () => 'done'))
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('done')
  })
})
