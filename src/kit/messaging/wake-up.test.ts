import { describe, expect, it } from 'vitest'
import { backOff, createWakeUp, linger, pause } from './wake-up.ts'

const never = new AbortController().signal

describe('createWakeUp', () => {
  it('ends a sleep when rung', async () => {
    const bell = createWakeUp()
    const sleeping = bell.sleep(60_000, never)
    bell.ring()
    await sleeping
  })

  it('remembers one ring for a sleep to come', async () => {
    const bell = createWakeUp()
    bell.ring()
    bell.ring()
    await bell.sleep(60_000, never)
    const started = performance.now()
    await bell.sleep(5, never)
    expect(performance.now() - started).toBeGreaterThanOrEqual(4)
  })

  it('ends a sleep when its signal fires, and does not begin one after that', async () => {
    const stop = new AbortController()
    const sleeping = pause(60_000, stop.signal)
    stop.abort()
    await sleeping
    await pause(60_000, stop.signal)
  })
})

describe('backOff', () => {
  it('doubles from 100 ms to 5 s, less up to half by chance', () => {
    expect([1, 2, 3, 6, 7, 50].map((failures) => backOff(failures, () => 1))).toEqual([
      100, 200, 400, 3_200, 5_000, 5_000,
    ])
    expect(backOff(2, () => 0)).toBe(100)
  })
})

describe('linger', () => {
  it('grows with what there is to do, up to 20 ms', () => {
    expect([0, 1, 5, 10, 500].map(linger)).toEqual([0, 2, 10, 20, 20])
  })
})
