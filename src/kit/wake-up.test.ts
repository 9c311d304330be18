import { describe, expect, it } from 'vitest'
import { createWakeUp } from './wake-up.ts'

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
    const bell = createWakeUp()
    const stop = new AbortController()
    const sleeping = bell.sleep(60_000, stop.signal)
    stop.abort()
    await sleeping
    await bell.sleep(60_000, stop.signal)
  })
})
