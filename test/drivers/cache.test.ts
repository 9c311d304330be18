import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Cache } from '../../src/drivers/cache/contract.ts'
import { memory } from '../../src/drivers/cache/memory.ts'
import { openCache } from '../../src/drivers/cache/open.ts'
import type { Clock } from '../../src/drivers/clock.ts'
import { cacheSuite } from './cache-suite.ts'

cacheSuite(memory, 'memory:')

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
  it('lets the least recently used entry go first', async () => {
    const cache = await memory.open({ url: 'memory:', prefix: '', maxEntries: 2 })
    await cache.set('a', 1, 1_000)
    await cache.set('b', 2, 1_000)
    await cache.get('a')
    await cache.set('c', 3, 1_000)
    expect(await Promise.all(['a', 'b', 'c'].map((key) => cache.get(key)))).toEqual([1, undefined, 3])
  })

  it('keeps 16 Mi characters at most, however few the entries', async () => {
    const cache = await memory.open({ url: 'memory:', prefix: '' })
    const mebi = 'x'.repeat(1024 * 1024)
    for (let at = 0; at < 20; at += 1) await cache.set(`k${at}`, mebi, 1_000)
    const kept = await Promise.all(Array.from({ length: 20 }, (_, at) => cache.get(`k${at}`)))
    expect(kept.map((value) => value !== undefined)).toEqual(Array.from({ length: 20 }, (_, at) => at >= 5))
  })

  it('does as a plain list does, through any calls and any passing of time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(call, { maxLength: 60 }), async (maxEntries, calls) => {
        const clock = new HandClock()
        const cache = await memory.open({ url: 'memory:', prefix: 'p:', maxEntries, clock })
        const model = new ModelCache(maxEntries, clock)
        for (const one of calls) {
          if (one.do === 'wait') clock.move(one.ms)
          else expect(await carryOut(cache, one)).toEqual(await carryOut(model, one))
        }
      }),
    )
  })
})

describe('openCache', () => {
  it('picks the driver by scheme', async () => {
    const cache = await openCache({ url: 'memory:', prefix: '' })
    await cache.set('a', 1, 1_000)
    expect(await cache.get('a')).toBe(1)
  })

  it.each([
    ['redis://:secret@host:6379', 'no cache driver for redis:; this build has memory:'],
    ['constructor:', 'no cache driver for constructor:; this build has memory:'],
    ['secret', 'cache: not a URL; it starts with a scheme, and this build has memory:'],
    ['memory:secret', 'cache: memory: takes nothing behind the colon'],
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
  | { do: 'get' | 'delete'; key: string }
  | { do: 'set'; key: string; value: unknown; ttlMs: number }
  | { do: 'wait'; ms: number }

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({ do: fc.constantFrom('get' as const, 'delete' as const), key }),
  fc.record({ do: fc.constant('set' as const), key, value: fc.jsonValue(), ttlMs: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 30 }) }),
)

function carryOut(cache: Pick<Cache, 'get' | 'set' | 'delete'>, one: Exclude<Call, { do: 'wait' }>): Promise<unknown> {
  if (one.do === 'set') return cache.set(one.key, one.value, one.ttlMs)
  return one.do === 'get' ? cache.get(one.key) : cache.delete(one.key)
}

/** The simplest thing that is right: a list, the least recently used first, searched from one end to the other. */
class ModelCache implements Pick<Cache, 'get' | 'set' | 'delete'> {
  readonly #most: number
  readonly #clock: Clock
  #list: { key: string; value: unknown; until: number }[] = []

  constructor(most: number, clock: Clock) {
    this.#most = most
    this.#clock = clock
  }

  async get<T>(key: string): Promise<T | undefined> {
    const found = this.#list.find((entry) => entry.key === key)
    await this.delete(key)
    if (found === undefined || this.#clock.monotonic() >= found.until) return undefined
    this.#list.push(found)
    return JSON.parse(JSON.stringify(found.value))
  }

  async set(key: string, value: unknown, ttlMs: number): Promise<void> {
    await this.delete(key)
    this.#list.push({ key, value, until: this.#clock.monotonic() + ttlMs })
    this.#list = this.#list.slice(-this.#most)
  }

  async delete(key: string): Promise<void> {
    this.#list = this.#list.filter((entry) => entry.key !== key)
  }
}
