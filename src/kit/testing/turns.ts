import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { type Clock, systemClock } from '../../drivers/clock.ts'

const TURN_MS = 10

/**
 * For tests: what is seen is as expected within so many milliseconds, where that is what was promised. Counted in turns of the loop of 10 ms each: a
 * process that stands still, as on a busy machine, uses up one of them and no more.
 */
export async function expectWithin<T>(ms: number, look: () => T | Promise<T>, expected: T): Promise<void> {
  let seen = await look()
  for (let turn = 0; turn * TURN_MS < ms && !isDeepStrictEqual(seen, expected); turn++) {
    await sleep(TURN_MS)
    seen = await look()
  }
  expect(seen).toEqual(expected)
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

/** A clock by which no turn of the loop takes longer than 20 ms, so that leases don't end while a busy machine has the process stand still. */
export function turnClock(): Clock & Disposable {
  let turnedAt = performance.now()
  let passed = 0
  const sinceTurn = () => Math.min(performance.now() - turnedAt, 2 * TURN_MS)
  const timer = setInterval(() => {
    passed += sinceTurn()
    turnedAt = performance.now()
  }, TURN_MS).unref()
  return { ...systemClock, monotonic: () => passed + sinceTurn(), [Symbol.dispose]: () => clearInterval(timer) }
}

/** Resolves when so many milliseconds have passed by a clock. */
export async function passedBy(clock: Clock, ms: number): Promise<void> {
  for (const until = clock.monotonic() + ms; clock.monotonic() < until; ) await sleep(TURN_MS)
}
