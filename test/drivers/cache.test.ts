import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BucketLimit, Cache, Lease } from '../../src/drivers/cache/contract.ts'
import { memory } from '../../src/drivers/cache/memory.ts'
import { openCache } from '../../src/drivers/cache/open.ts'
import type { Clock } from '../../src/drivers/clock.ts'
import { cacheSuite } from './cache-suite.ts'
import { cacheTableSuite } from './cache-table-suite.ts'

const MEMORY = { kind: 'memory:', driver: memory, url: () => 'memory:' }
cacheSuite(MEMORY)
cacheTableSuite(MEMORY)

/** A clock that stands still until it is moved. Its wall time jumps about, and must not matter. */
class HandClock implements Clock {
  #elapsed = 0
  now(): number {
    return (this.#elapsed * 7_919) % 1_000
  }
  monotonic(): number {
    return this.#elapsed
  }
  move(ms: number): void {
    this.#elapsed += ms
  }
}

describe('the memory cache', () => {
  it('forgets the bucket that was unused longest', async () => {
    const cache = await memory.open({ url: 'memory:', prefix: '', maxEntries: 2 })
    const take = async (key: string) => (await cache.take(key, { perSecond: 0.001, burst: 1 })).allowed
    const taken: boolean[] = []
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) taken.push(await take(key))
    expect(taken).toEqual([true, true, false, true, false, true])
  })

  it('does as a plain list does, through any calls and any passing of time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 60 }), async (calls) => {
        const clock = new HandClock()
        const cache = await memory.open({ url: 'memory:', prefix: 'p:', clock })
        const model = new ModelCache(clock)
        for (const one of calls) {
          if (one.do === 'wait') clock.move(one.ms)
          else expect(await carryOut(cache, one)).toEqual(await carryOut(model, one))
        }
      }),
    )
  })
})

const SCHEMES = 'memory:, redis:, rediss:, redis+sentinel:, rediss+sentinel:, redis+cluster:, rediss+cluster:'

describe('openCache', () => {
  it('picks the driver by scheme', async () => {
    const cache = await openCache({ url: 'memory:', prefix: '' })
    expect((await cache.take('a', { perSecond: 1, burst: 1 })).allowed).toBe(true)
  })

  it.each([
    ['memcached://:secret@host:11211', `no cache driver for memcached:; this build has ${SCHEMES}`],
    ['constructor:', `no cache driver for constructor:; this build has ${SCHEMES}`],
    ['secret', `cache: not a URL; it starts with a scheme, and this build has ${SCHEMES}`],
    ['memory:secret', 'cache: memory: takes nothing behind the colon'],
    ['redis+sentinel://:secret@host', expect.stringContaining('cache: behind the Sentinels stands the name')],
  ])('says what is wrong with %s, without repeating what may be a secret', async (url, message) => {
    await expect(openCache({ url, prefix: '' })).rejects.toMatchObject({
      name: 'DriverError',
      kind: 'invalid',
      message,
    })
  })

  it.each([0, -1, 1.5, Number.NaN])('refuses maxEntries %d', async (maxEntries) => {
    await expect(openCache({ url: 'memory:', prefix: '', maxEntries })).rejects.toMatchObject({ kind: 'invalid' })
  })
})

type Call =
  | { do: 'take'; key: string; cost: number }
  | { do: 'acquire'; key: string; holder: string; ttlMs: number }
  | { do: 'renew' | 'release'; key: string; fence: number; ttlMs: number }
  | { do: 'wait'; ms: number }

const LIMIT: BucketLimit = { perSecond: 125, burst: 4 }

const key = fc.constantFrom('a', 'b', 'c')
const ttlMs = fc.integer({ min: 1, max: 50 })
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({ do: fc.constant('take' as const), key, cost: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('acquire' as const), key, holder: fc.constantFrom('one', 'two'), ttlMs }),
  fc.record({
    do: fc.constantFrom('renew' as const, 'release' as const),
    key,
    fence: fc.integer({ min: 1, max: 9 }),
    ttlMs,
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 30 }) }),
)

type Verbs = Pick<Cache, 'take' | 'acquire' | 'renew' | 'release'>

function carryOut(cache: Verbs, one: Exclude<Call, { do: 'wait' }>): Promise<unknown> {
  if (one.do === 'take') return cache.take(one.key, LIMIT, one.cost)
  if (one.do === 'acquire') return cache.acquire(one.key, one.holder, one.ttlMs)
  const lease = { name: one.key, holder: 'whoever', fence: one.fence }
  return one.do === 'renew' ? cache.renew(lease, one.ttlMs) : cache.release(lease)
}

/** The simplest thing that is right: all that ever happened, added up for each answer. */
class ModelCache implements Verbs {
  readonly #clock: Clock
  #flow: { key: string; tokens: number; at: number }[] = []
  #leases: (Lease & { until: number })[] = []
  #fences = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async take(key: string, { perSecond, burst }: BucketLimit, cost = 1) {
    const now = this.#clock.monotonic()
    const last = this.#flow.findLast((entry) => entry.key === key)
    const tokens = last ? Math.min(burst, last.tokens + ((now - last.at) * perSecond) / 1000) : burst
    const allowed = tokens >= cost
    this.#flow.push({ key, tokens: allowed ? tokens - cost : tokens, at: now })
    if (allowed) return { allowed, left: tokens - cost, retryAfterMs: 0 }
    return { allowed, left: tokens, retryAfterMs: ((cost - tokens) * 1000) / perSecond }
  }

  async acquire(name: string, holder: string, ttlMs: number) {
    const until = this.#clock.monotonic() + ttlMs
    const held = this.#leases.find((lease) => lease.name === name && lease.until > this.#clock.monotonic())
    if (held && held.holder !== holder) return undefined
    const lease = { name, holder, fence: held?.fence ?? ++this.#fences }
    this.#leases = [...this.#leases.filter((other) => other.name !== name), { ...lease, until }]
    return lease
  }

  async renew({ name, fence }: Lease, ttlMs: number) {
    const now = this.#clock.monotonic()
    const held = this.#leases.find((lease) => lease.name === name && lease.fence === fence && lease.until > now)
    if (held) held.until = now + ttlMs
    return held !== undefined
  }

  async release({ name, fence }: Lease) {
    this.#leases = this.#leases.filter((lease) => lease.name !== name || lease.fence !== fence)
  }
}
