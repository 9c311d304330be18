import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Cache } from '../drivers/cache/contract.ts'
import { openCache } from '../drivers/cache/open.ts'
import { systemClock } from '../drivers/clock.ts'
import { DriverError } from '../drivers/driver-error.ts'
import { LeaderElection, type Leadership } from './leadership.ts'

const closing: (() => unknown)[] = []
// by real ones both replicas would stand still with this process, and one may look before the other
beforeEach(() => void vi.useFakeTimers())
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  vi.useRealTimers()
})

/** A replica that wants to lead, over a cache that can be cut off from it. */
async function replica(cache: Cache, holder: string) {
  const link = { isCut: false }
  const through = <T>(ask: () => Promise<T>) =>
    link.isCut ? Promise.reject(new DriverError('unavailable', 'cut')) : ask()
  const told: Leadership['at'][] = []
  const election = new LeaderElection({
    cache: {
      acquire: (...args) => through(() => cache.acquire(...args)),
      renew: (...args) => through(() => cache.renew(...args)),
      release: (...args) => through(() => cache.release(...args)),
    },
    name: 'work',
    holder,
    clock: systemClock,
    onChange: ({ at }) => void told.push(at),
  })
  closing.push(() => election.close())
  await election.open()
  return { election, told, link, at: () => election.now.at }
}

describe('LeaderElection', () => {
  it('has one leader, and another at once when it leaves', async () => {
    const cache = await openCache({ url: 'memory:', prefix: '' })
    const [one, two] = [await replica(cache, 'one'), await replica(cache, 'two')]
    expect([one.at(), two.at()]).toEqual(['leading', 'following'])
    await one.election.close()
    // a lease that nobody gives back lasts for 2 s more at least
    await vi.advanceTimersByTimeAsync(1_000)
    expect(two.at()).toBe('leading')
    expect(one.told).toEqual(['leading', 'unknown'])
    expect(two.told).toEqual(['following', 'leading'])
  })

  it('has the one that is cut off stop before another begins, with a greater fence', async () => {
    const cache = await openCache({ url: 'memory:', prefix: '' })
    const [one, two] = [await replica(cache, 'one'), await replica(cache, 'two')]
    const before = one.election.now
    one.link.isCut = true
    for (let ms = 0; ms < 6_000 && two.at() !== 'leading'; ms++) {
      await vi.advanceTimersByTimeAsync(1)
      expect([one.at(), two.at()]).not.toEqual(['leading', 'leading'])
    }
    expect([one.at(), two.at()]).toEqual(['unknown', 'leading'])
    const after = two.election.now
    expect(after.at === 'leading' && before.at === 'leading' && after.lease.fence > before.lease.fence).toBe(true)
    one.link.isCut = false
    await vi.advanceTimersByTimeAsync(1_000)
    expect(one.at()).toBe('following')
  })
})
