import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'

const TURN_MS = 10

/**
 * For tests: what is seen is as expected within so many milliseconds, where that is what was promised. Counted in turns of the loop of 10 ms each: a
 * process that stands still, as on a busy machine, uses up one of them and no more.
 */
export async function expectWithin<T>(ms: number, look: () => T, expected: T): Promise<void> {
  for (let turn = 0; turn * TURN_MS < ms && !isDeepStrictEqual(look(), expected); turn++) await sleep(TURN_MS)
  expect(look()).toEqual(expected)
}

/** How long something takes, milliseconds counted in the same way. */
export async function turnsOf(work: Promise<unknown>): Promise<number> {
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  let turns = 0
  for (; !isOver; turns++) await Promise.race([over, sleep(TURN_MS)])
  await over
  return turns * TURN_MS
}
