import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type Happened, News } from './news.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('tells again of what could not be looked at, and no more once it could', async () => {
  const link = { isUp: true, listen: () => {}, on: () => () => {}, connection: { publish: () => {} } }
  const news = new News({ link, streams: { prefix: 'x' }, broker: 'me', newest: async () => 0 })
  const told: Happened[] = []
  let isAway = true
  news.on(async (happened) => {
    told.push(happened)
    if (isAway) throw new Error('away')
  })
  news.namesChanged()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(told).toEqual([{ names: true }, { topics: 'all', names: true, delayed: true }])
  link.isUp = false
  await vi.advanceTimersByTimeAsync(5_000)
  expect(told).toHaveLength(2)
  link.isUp = true
  isAway = false
  await vi.advanceTimersByTimeAsync(5_000)
  expect(told).toHaveLength(3)
  news.close()
})
