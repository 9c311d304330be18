import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { Cache, Taken } from '../../drivers/cache/contract.ts'
import { systemClock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { expectWithin, turnsOf } from '../../kit/testing/turns.ts'
import { SharedLimits } from './shared-limits.ts'

const ALLOWED: Taken = { allowed: true, left: 1, retryAfterMs: 0 }
const REFUSED: Taken = { allowed: false, left: 0, retryAfterMs: 1 }
/** What nothing flows into while a test runs. */
const STILL = { per_second: 0.001, burst: 8 }

/** How the cache is: it answers after some milliseconds, when the test says so, or not at all. */
type Mood = { readonly afterMs: number; readonly says?: Taken } | 'late' | 'gone' | 'hanging'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

function startLimits(replicas = 2) {
  const waiting: (() => void)[] = []
  const state: { mood: Mood; asked: number; locally: number; answerAll(): void } = {
    mood: { afterMs: 0 },
    asked: 0,
    locally: 0,
    answerAll() {
      for (const answerOne of waiting.splice(0)) answerOne()
    },
  }
  async function answer(): Promise<Taken> {
    const { mood } = state
    if (mood === 'gone') throw new DriverError('unavailable', 'cache: gone')
    if (mood === 'hanging') return new Promise(() => {})
    if (mood === 'late') return new Promise((resolve) => waiting.push(() => resolve(ALLOWED)))
    if (mood.afterMs > 0) await sleep(mood.afterMs)
    return mood.says ?? ALLOWED
  }
  const cache: Pick<Cache, 'take' | 'check'> = {
    take() {
      state.asked++
      return answer()
    },
    check: (signal) =>
      Promise.race([
        answer().then(() => {}),
        new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]),
  }
  const limits = new SharedLimits({
    cache,
    replicas: () => replicas,
    clock: systemClock,
    log: silentLog,
    metrics: { limitedLocally: () => void state.locally++ },
  })
  closing.push(() => limits.close())
  return { limits, state }
}

describe('shared limits', () => {
  it('go by the cache, though this gateway’s own share is used up', async () => {
    const { limits, state } = startLimits()
    const limiter = limits.limiter('a', { per_second: 0.001, burst: 1 })
    for (let i = 0; i < 5; i++) expect(await limiter.take('ann')).toBe(ALLOWED)
    state.mood = { afterMs: 0, says: REFUSED }
    expect(await limiter.take('bob')).toBe(REFUSED)
    expect(state).toMatchObject({ asked: 6, locally: 0 })
  })

  it('go by the gateway’s share while the cache is gone, counting what went before, and ask nobody', async () => {
    const { limits, state } = startLimits(2)
    const limiter = limits.limiter('a', STILL)
    await limiter.take('ann')
    state.mood = 'gone'
    const taken: boolean[] = []
    for (let i = 0; i < 6; i++) taken.push((await limiter.take('ann')).allowed)
    expect(taken).toEqual([true, true, true, false, false, false])
    expect(limiter.take('bob')).toMatchObject({ allowed: true })
    expect(state).toMatchObject({ asked: 2, locally: 7 })
  })

  it('leave each gateway one request at least', async () => {
    const { limits, state } = startLimits(100)
    state.mood = 'gone'
    const limiter = limits.limiter('a', STILL)
    expect((await limiter.take('ann')).allowed).toBe(true)
    expect((await limiter.take('ann')).allowed).toBe(false)
  })

  it('let nobody wait for a cache that hangs, after the first', async () => {
    const { limits, state } = startLimits()
    state.mood = 'hanging'
    const limiter = limits.limiter('a', STILL)
    const taking = Promise.resolve(limiter.take('ann'))
    expect(await turnsOf(taking)).toBeLessThan(200)
    expect((await taking).allowed).toBe(true)
    await limiter.take('ann')
    await limiter.take('ann')
    expect(limiter.take('ann')).toMatchObject({ allowed: true })
    expect(state.asked).toBe(3)
  })

  it('do so for one that always answers too late', async () => {
    const { limits, state } = startLimits()
    state.mood = 'late'
    const limiter = limits.limiter('a', STILL)
    for (let i = 0; i < 3; i++) {
      await limiter.take('ann')
      state.answerAll()
    }
    expect(limiter.take('ann')).not.toBeInstanceOf(Promise)
    expect(state.asked).toBe(3)
  })

  it('take an answer that is there when a busy loop looks', async () => {
    const { limits, state } = startLimits()
    state.mood = { afterMs: 1 }
    const limiter = limits.limiter('a', STILL)
    for (let i = 0; i < 5; i++) {
      const taking = limiter.take('ann')
      const until = performance.now() + 40
      while (performance.now() < until);
      expect(await taking).toBe(ALLOWED)
    }
    expect(state.locally).toBe(0)
  })

  it('are shared again as soon as the cache answers', async () => {
    const { limits, state } = startLimits()
    const limiter = limits.limiter('a', STILL)
    state.mood = 'gone'
    await limiter.take('ann')
    expect(limiter.take('ann')).not.toBeInstanceOf(Promise)
    state.mood = { afterMs: 0 }
    await expectWithin(2_000, () => limiter.take('ann') instanceof Promise, true)
    expect(await limiter.take('ann')).toBe(ALLOWED)
  })
})
