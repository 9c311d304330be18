import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Searches } from './searches.ts'

const clock = { monotonic: () => performance.now() }
const ann = { name: 'ann', signal: new AbortController().signal }
const bob = { ...ann, name: 'bob' }

describe('Searches', () => {
  it('takes one step at a time, and lets the search go first that has had least', async () => {
    let now = 0
    const searches = new Searches({ monotonic: () => now })
    const order: string[] = []
    let atOnce = 0
    const search = (name: string, steps: readonly number[]) =>
      searches.run(ann, async ({ step }) => {
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
      searches.run(ann, async ({ step }) => step(async () => void order.push(headMs)), headMs)
    await Promise.all([32, 8, 2, 8, 0].map(search))
    expect(order).toEqual([32, 0, 2, 8, 8])
  })

  it('lets the caller go first whose searches have had least together', async () => {
    let now = 0
    const searches = new Searches({ monotonic: () => now })
    const order: string[] = []
    const search = (caller: typeof ann, steps: number) =>
      searches.run(caller, async ({ step }) => {
        for (let i = 0; i < steps; i++) {
          await step(async () => {
            order.push(caller.name)
            now += 10
          })
        }
      })
    await Promise.all([search(ann, 2), search(ann, 2), search(ann, 2), search(bob, 3)])
    expect(order).toEqual(['ann', 'bob', 'ann', 'bob', 'ann', 'bob', 'ann', 'ann', 'ann'])
  })

  it('refuses one more than may be under way, in all or of one caller, and says when to come again', async () => {
    const searches = new Searches(clock, { most: 2 })
    const busy = { code: 'UNAVAILABLE', headers: { 'retry-after': '1' } }
    const held = Promise.withResolvers<void>()
    const hold = (caller: typeof ann) => searches.run(caller, async ({ step }) => step(() => held.promise))
    const first = hold(ann)
    await expect(hold(ann)).rejects.toMatchObject(busy)
    const second = hold(bob)
    await expect(hold({ ...ann, name: 'cy' })).rejects.toMatchObject(busy)
    held.resolve()
    await Promise.all([first, second])
    expect(await searches.run(ann, async ({ step }) => step(async () => 'done'))).toBe('done')
  })

  it('gives no turn to a search whose time is over or whose caller has gone', async () => {
    const searches = new Searches(clock, { patienceMs: 20 })
    const held = Promise.withResolvers<void>()
    const caller = new AbortController()
    const first = searches.run(ann, async ({ step }) => step(() => held.promise))
    const late = searches.run(ann, async ({ step }) => step(async () => 'never'))
    const gone = searches.run({ ...ann, signal: caller.signal }, async ({ step }) => step(async () => 'never'))
    caller.abort()
    expect(await gone).toBeUndefined()
    expect(await late).toBeUndefined()
    held.resolve()
    await first
    expect(
      await searches.run({ ...ann, signal: caller.signal }, async ({ step }) => step(async () => 'never')),
    ).toBeUndefined()
    expect(searches.underWay).toBe(0)
  })

  it('goes on after a step that fails', async () => {
    const searches = new Searches(clock)
    const failing = searches.run(ann, async ({ step }) => step(() => Promise.reject(new Error('no'))))
    const next = searches.run(ann, async ({ step }) => step(async () => 'done'))
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('done')
  })
})
