import { Hono } from 'hono'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import type { AppEnv } from './app-env.ts'
import { Door, type DoorLimits, Traffic } from './door.ts'
import { type Listener, listen } from './listener.ts'
import { DEFAULT_LIMITS as limits } from './testing/listener-limits.ts'

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(0)))
})

/** A role whose answers say which run of it gave them; `/slow` takes until it is let go. */
async function start(bounds: DoorLimits = {}) {
  const door = new Door(bounds)
  let run = 'first'
  const slow = Promise.withResolvers<void>()
  const app = new Hono<AppEnv>()
    .get('/slow', async (c) => {
      await slow.promise
      return c.text('slow')
    })
    .all('*', async (c) => c.text(`${run} ${await c.req.text()}`))
  const listener = await listen({ host: '127.0.0.1', port: 0, limits, layers: [], app, door, clock })
  open.push(listener)
  const get = async (path = '/', body?: string) => {
    const answer = await fetch(
      `http://127.0.0.1:${listener.port}${path}`,
      body === undefined ? {} : { method: 'POST', body },
    )
    return `${answer.status} ${await answer.text()}`
  }
  const traffic = new Traffic()
  const next = (name: string) => {
    run = name
    door.open(traffic)
  }
  return { door, traffic, get, next, letGo: slow.resolve }
}

describe('a door', () => {
  it('keeps requests waiting while it is shut, whole, for whatever comes then', async () => {
    const { door, traffic, get, next } = await start()
    next('first')
    expect(await get()).toBe('200 first ')
    door.shut()
    const waiting = [get(), get('/', 'a body')]
    await vi.waitUntil(() => door.waiting === 2, { timeout: 20_000 })
    expect(await get('/readyz')).toBe('200 first ')
    next('second')
    expect(await Promise.all(waiting)).toEqual(['200 second ', '200 second a body'])
    await vi.waitUntil(() => traffic.count === 0, { timeout: 20_000 })
  })

  it('begins shut', async () => {
    const { get, door, next } = await start()
    const waiting = get()
    await vi.waitUntil(() => door.waiting === 1, { timeout: 20_000 })
    next('first')
    expect(await waiting).toBe('200 first ')
  })

  it('answers 503 to one too many, and to who waits too long', async () => {
    const { get, door, next } = await start({ most: 1 })
    const waiting = get()
    await vi.waitUntil(() => door.waiting === 1, { timeout: 20_000 })
    expect(await get()).toMatch(/^503 .*being moved, and 1 requests wait/)
    next('first')
    expect(await waiting).toBe('200 first ')

    const impatient = await start({ longestMs: 50 })
    expect(await impatient.get()).toMatch(/^503 .*longer than 50 ms/)
    expect(impatient.door.waiting).toBe(0)
  })

  it('answers 503 to all once it is closed, unless it is open', async () => {
    const { get, door, next } = await start()
    const waiting = get()
    await vi.waitUntil(() => door.waiting === 1, { timeout: 20_000 })
    door.close(new AppError('STOPPING', 'The role is stopping'))
    expect(await waiting).toMatch(/^503 .*stopping/)
    expect(await get()).toMatch(/^503 .*stopping/)
    next('second')
    expect(await get()).toMatch(/^503 /)

    const other = await start()
    other.next('first')
    other.door.close(new AppError('STOPPING', 'The role is stopping'))
    expect(await other.get()).toBe('200 first ')
  })

  it('forgets who went away', async () => {
    const { door } = await start()
    const { port } = open.at(-1) ?? { port: 0 }
    const gone = new AbortController()
    const asked = fetch(`http://127.0.0.1:${port}/`, { signal: gone.signal }).catch(() => 'gone')
    await vi.waitUntil(() => door.waiting === 1, { timeout: 20_000 })
    gone.abort()
    expect(await asked).toBe('gone')
    await vi.waitUntil(() => door.waiting === 0, { timeout: 20_000 })
  })
})

describe('traffic', () => {
  it('is quiet once what is under way has ended, but for what need not be waited for', async () => {
    const { get, traffic, next, letGo } = await start()
    next('first')
    const slow = get('/slow')
    await vi.waitUntil(() => traffic.count === 1, { timeout: 20_000 })
    expect(await traffic.quiet(() => 0, 10.5)).toBe(false)
    expect(await traffic.quiet(() => 1, 10)).toBe(true)
    const quiet = traffic.quiet(() => 0, 10_000)
    letGo()
    expect(await quiet).toBe(true)
    await slow
  })
})
