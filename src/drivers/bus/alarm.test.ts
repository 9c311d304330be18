import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Alarm } from './alarm.ts'

const clock = { now: () => Date.now(), monotonic: () => Date.now() }
beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
})
afterEach(() => {
  vi.useRealTimers()
})

it('rings once, at the earliest time asked for', () => {
  const rings: number[] = []
  const alarm = new Alarm(clock, () => rings.push(Date.now()))
  alarm.set(500)
  alarm.set(200)
  alarm.set(300)
  vi.advanceTimersByTime(1000)
  expect(rings).toEqual([200])
  alarm.set(1100)
  vi.advanceTimersByTime(1000)
  expect(rings).toEqual([200, 1100])
})

it('keeps one timer, and none once stopped', () => {
  const alarm = new Alarm(clock, () => {})
  for (const time of [900, 500, 100, Number.POSITIVE_INFINITY]) alarm.set(time)
  expect(vi.getTimerCount()).toBe(1)
  alarm.stop()
  alarm.set(50)
  expect(vi.getTimerCount()).toBe(0)
})
