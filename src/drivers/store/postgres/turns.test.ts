import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Turns } from './turns.ts'

it('runs all, beside each other or alone as they want, and goes on after one that throws', async () => {
  const task = fc.record({ alone: fc.boolean(), turns: fc.nat(3), throws: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(task, { maxLength: 20 }), async (tasks) => {
      const turns = new Turns()
      let running = 0
      let most = 0
      const outcomes = await Promise.allSettled(
        tasks.map(({ alone, turns: length, throws }, at) =>
          turns.run(alone, async () => {
            running++
            most = Math.max(most, running)
            if (alone) expect(running).toBe(1)
            for (let turn = 0; turn < length; turn++) await nextTurn()
            if (alone) expect(running).toBe(1)
            running--
            if (throws) throw new Error('planned')
            return at
          }),
        ),
      )
      expect(outcomes.map(({ status }) => status)).toEqual(
        tasks.map(({ throws }) => (throws ? 'rejected' : 'fulfilled')),
      )
      if (tasks.length > 1 && tasks.every(({ alone, turns: length }) => !alone && length > 0))
        expect(most).toBe(tasks.length)
    }),
  )
})
