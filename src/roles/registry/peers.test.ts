import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../drivers/cache/contract.ts'
import { openCache } from '../../drivers/cache/open.ts'
import { type Clock, systemClock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { portOf } from '../../kit/http/port-of.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { expectWithin, turnsOf } from '../../kit/testing/turns.ts'
import { Registration } from './contract.ts'
import { InstanceRows } from './instance-rows.ts'
import { LEASE_LIMITS } from './lease.ts'
import { Registry } from './registry.ts'
import { closeAll, closing, newFolder, openRegistryStore } from './testing/registry-store.ts'

/** A change at one registry is known at all within a second. */
const soon = <T>(look: () => T, expected: T) => expectWithin(1_000, look, expected)

let cache: Cache
beforeEach(async () => {
  cache = await openCache({ url: 'memory:', prefix: '' })
})
afterEach(closeAll)

/** A clock that goes on by what the test lets pass, each second of which the given registries look at. */
function steppedClock() {
  let now = 1_000
  return {
    clock: { ...systemClock, monotonic: () => now },
    pass(seconds: number, ...registries: readonly { readonly registry: Registry }[]) {
      for (let second = 0; second < seconds; second++) {
        now += 1_000
        for (const { registry } of registries) registry.sweep()
      }
    },
  }
}

interface Options {
  readonly folder?: string
  readonly leaseMs?: number
  readonly checkIntervalMs?: number
  readonly clock?: Clock
}

/** A registry among others, which can be cut off from what they share. */
async function run(
  holder: string,
  { folder, leaseMs = 30_000, checkIntervalMs = 10_000, clock = systemClock }: Options = {},
) {
  const link = { isCut: false, isFull: false, looks: 0 }
  const through = <T>(ask: () => Promise<T>) =>
    link.isCut ? Promise.reject(new DriverError('unavailable', 'cut')) : ask()
  const store = await openRegistryStore(folder)
  const disk: ConstructorParameters<typeof InstanceRows>[0] = {
    db: store.db,
    transaction: (work) =>
      link.isFull ? Promise.reject(new DriverError('full', 'the disk is full')) : store.transaction(work),
  }
  const registry = new Registry({
    rows: new InstanceRows(disk, silentLog, 'http://a:8500,http://b:8500'),
    log: silentLog,
    checkIntervalMs,
    signal: new AbortController().signal,
    patienceMs: 60_000,
    clock,
    limits: { ...LEASE_LIMITS, leaseMs },
    maxInstances: 1_000,
    maxPerService: 1_000,
    newId: () => crypto.randomUUID(),
    among: {
      holder,
      cache: {
        table: (name) => ({
          write: (writes) => through(() => cache.table(name).write(writes)),
          changes(cursor) {
            link.looks++
            return through(() => cache.table(name).changes(cursor))
          },
        }),
        acquire: (...args) => through(() => cache.acquire(...args)),
        renew: (...args) => through(() => cache.renew(...args)),
        release: (...args) => through(() => cache.release(...args)),
      },
    },
  })
  await registry.open()
  let isClosed = false
  async function close() {
    if (isClosed) return
    isClosed = true
    await registry.close()
    await store.close()
  }
  closing.push(close)
  const changes: string[] = []
  registry.instances.onChange(({ type, instance }) => changes.push(`${type} ${instance.port}`))
  return {
    registry,
    link,
    close,
    changes,
    register: (port: number, more: Partial<Registration> = {}) =>
      registry.register(Registration.parse({ service_name: 'user', host: '127.0.0.1', port, ...more })),
    /** Resolves when it has seen whether it is cut off. */
    async looked() {
      const { looks } = link
      // one may be under way
      await expect.poll(() => link.looks, { interval: 10 }).toBeGreaterThan(looks + 1)
    },
    heartbeat: async (ref: { id: string; fence?: number }) => registry.heartbeat(await registry.find(ref)),
    ports: () =>
      registry.instances
        .healthy('user')
        .map(({ port }) => port)
        .sort(),
  }
}

describe('registries that share a table', () => {
  it('know what one of them was told, within a second', async () => {
    const [a, b] = [await run('a'), await run('b')]
    const { instance } = await a.register(1)
    await b.register(2)
    await soon(b.ports, [1, 2])
    await soon(a.ports, [1, 2])
    await b.registry.markUnhealthy(await b.registry.find({ id: instance.id }))
    await soon(a.ports, [2])
    await a.heartbeat({ id: instance.id })
    await soon(b.ports, [1, 2])
    await a.registry.drain(await a.registry.find({ id: instance.id }))
    await soon(b.ports, [2])
    await b.heartbeat({ id: instance.id })
    await b.registry.deregister(await b.registry.find({ service_name: 'user', host: '127.0.0.1', port: 2 }))
    await soon(a.ports, [])
    expect(b.ports()).toEqual([])
    expect(a.changes).toEqual(['up 1', 'up 2', 'down 1', 'up 1', 'down 1', 'down 2'])
  })

  it('count a heartbeat at any of them for all, and silence as well', async () => {
    const { clock, pass } = steppedClock()
    const [a, b] = [await run('a', { clock }), await run('b', { clock })]
    const { instance } = await a.register(1)
    await soon(b.ports, [1])
    const heardAt = () => {
      const lease = a.registry.instances.find({ id: instance.id })?.lease
      return lease?.at === 'held' ? lease.heartbeat : undefined
    }
    for (let i = 0; i < 8; i++) {
      await b.heartbeat({ id: instance.id })
      await soon(heardAt, clock.monotonic())
      pass(10, a, b)
      expect([a.ports(), b.ports()]).toEqual([[1], [1]])
    }
    pass(19, a, b)
    expect([a.ports(), b.ports()]).toEqual([[1], [1]])
    pass(1)
    await expect.poll(a.ports).toEqual([])
    await soon(b.ports, [])
    await b.heartbeat({ id: instance.id })
    await soon(a.ports, [1])
  })

  it('find what another was told a moment ago', async () => {
    const [a, b] = [await run('a'), await run('b')]
    await sleep(60)
    const { instance, fence } = await a.register(1)
    await b.heartbeat({ id: instance.id, fence })
    expect(b.ports()).toEqual([1])
  })

  it('have one instance under an id, the one that registered last, and refuse the heartbeats of the one before', async () => {
    const [a, b] = [await run('a'), await run('b')]
    const older = await a.register(1, { id: 'ann' })
    await soon(b.ports, [1])
    const newer = await b.register(2, { id: 'ann' })
    expect(newer.fence).toBeGreaterThan(older.fence)
    await soon(a.ports, [2])
    for (const { heartbeat } of [a, b]) {
      await expect(heartbeat({ id: 'ann', fence: older.fence })).rejects.toMatchObject({ code: 'CONFLICT' })
      await heartbeat({ id: 'ann', fence: newer.fence })
    }
    await expect(a.registry.find({ id: 'ann', fence: older.fence })).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('agree on who is at an address that two of them were told of at once', async () => {
    const [a, b] = [await run('a'), await run('b')]
    await Promise.all([a.register(1), b.register(1)])
    const ids = () => [a, b].map(({ registry }) => registry.instances.healthy('user').map(({ id }) => id))
    await soon(() => ids().flat().length === 2 && new Set(ids().flat()).size, 1)
    await sleep(600)
    expect(new Set(ids().flat()).size).toBe(1)
  })

  it('go on alone while the table is away: nobody expires, and all is told when it is back', async () => {
    const { clock, pass } = steppedClock()
    const [a, b] = [await run('a', { clock }), await run('b', { clock })]
    await a.register(1)
    const left = await a.register(2)
    const marked = await a.register(3)
    await soon(b.ports, [1, 2, 3])
    a.link.isCut = true
    b.link.isCut = true
    await Promise.all([a.looked(), b.looked()])
    const change = async () => {
      const { instance } = await a.register(4)
      await a.registry.deregister(await a.registry.find({ id: left.instance.id }))
      await b.registry.markUnhealthy(await b.registry.find({ id: marked.instance.id }))
      return instance
    }
    const changing = change()
    expect(await turnsOf(changing)).toBeLessThan(500)
    pass(100, a, b)
    expect([a.ports(), b.ports()]).toEqual([
      [1, 3, 4],
      [1, 2],
    ])
    a.link.isCut = false
    b.link.isCut = false
    await soon(b.ports, [1, 4])
    await soon(a.ports, [1, 4])
    await b.heartbeat({ id: (await changing).id })
  })

  it('expire again once they are in step, a while after the table is back', async () => {
    const { clock, pass } = steppedClock()
    const a = await run('a', { clock })
    await a.register(1)
    a.link.isCut = true
    await a.looked()
    pass(45, a)
    a.link.isCut = false
    await a.looked()
    pass(4, a)
    expect(a.ports()).toEqual([1])
    pass(30, a)
    await expect.poll(a.ports).toEqual([])
  })

  it('tell all anew when the table was lost', async () => {
    const [a, b] = [await run('a'), await run('b')]
    await a.register(1)
    await b.register(2)
    await soon(a.ports, [1, 2])
    cache = await openCache({ url: 'memory:', prefix: '' })
    await a.register(3)
    const c = await run('c')
    for (const { ports } of [a, b, c]) await soon(ports, [1, 2, 3])
  })

  it('catch up after they were away themselves, with what they kept and without', async () => {
    const folder = await newFolder()
    const a = await run('a', { folder })
    const b = await run('b')
    const left = await a.register(1)
    await a.register(2)
    await soon(b.ports, [1, 2])
    await a.close()
    await b.registry.deregister(await b.registry.find({ id: left.instance.id }))
    await b.register(3)
    const again = await run('a', { folder })
    expect(again.ports()).toEqual([2, 3])
    const fresh = await run('c')
    expect(fresh.ports()).toEqual([2, 3])
    // what it kept is no news to the others
    expect(b.ports()).toEqual([2, 3])
  })

  it('tell of a drain that was told while the table was away, also after a restart', async () => {
    const folder = await newFolder()
    const [a, b] = [await run('a', { folder }), await run('b')]
    const { instance } = await a.register(1)
    await soon(b.ports, [1])
    // a mark from before is no news by then
    await b.registry.markUnhealthy(await b.registry.find({ id: instance.id }))
    await b.heartbeat({ id: instance.id })
    await soon(a.ports, [1])
    a.link.isCut = true
    await a.registry.drain(await a.registry.find({ id: instance.id }))
    await a.close()
    expect(b.ports()).toEqual([1])
    const again = await run('a', { folder })
    expect(again.ports()).toEqual([])
    await soon(b.ports, [])
    // only a registration ends it
    await b.registry.markUnhealthy(await b.registry.find({ id: instance.id }))
    await b.heartbeat({ id: instance.id })
    expect(b.ports()).toEqual([])
    await b.register(1)
    await soon(again.ports, [1])
  })

  it('keep what they know on disk once it has room, also what they were told while it had none', async () => {
    const folder = await newFolder()
    const a = await run('a', { folder })
    const [gone, drained] = [await a.register(1), await a.register(2)]
    a.link.isFull = true
    await a.register(3)
    await a.registry.drain(await a.registry.find({ id: drained.instance.id }))
    await a.registry.deregister(await a.registry.find({ id: gone.instance.id }))
    a.link.isFull = false
    await a.register(4)
    a.registry.sweep()
    await a.close()
    cache = await openCache({ url: 'memory:', prefix: '' })
    await cache.close()
    const again = await run('a', { folder })
    expect(again.ports()).toEqual([3, 4])
    expect(again.registry.instances.count()).toEqual({ healthy: 2, unhealthy: 1 })
  })

  it('know from what they kept when they begin without the table, and join the others later', async () => {
    const folder = await newFolder()
    const a = await run('a', { folder })
    await a.register(1)
    await a.close()
    const real = cache
    cache = await openCache({ url: 'memory:', prefix: '' })
    await cache.close()
    const beginning = run('a', { folder })
    expect(await turnsOf(beginning)).toBeLessThan(1_500)
    const again = await beginning
    expect(again.ports()).toEqual([1])
    await again.register(2)
    cache = real
    const b = await run('b')
    await soon(b.ports, [1, 2])
    expect(again.ports()).toEqual([1, 2])
  })

  it('ask what health checks say before they answer who is healthy, also after a restart', async () => {
    const checked = createServer((_, answer) => answer.end())
    await new Promise<void>((resolve) => checked.listen(0, '127.0.0.1', resolve))
    closing.push(() => checked.close())
    const folder = await newFolder()
    const a = await run('a', { folder })
    await a.register(1, { health_check_url: `http://127.0.0.1:${portOf(checked)}/` })
    expect(a.ports()).toEqual([1])
    await a.close()
    // it moves to another table
    cache = await openCache({ url: 'memory:', prefix: '' })
    expect((await run('a', { folder })).ports()).toEqual([1])
  })

  it('have each health check asked by one of them, by another when that is gone, and by each while nobody can choose', async () => {
    let asked = 0
    let status = 200
    const server = createServer((_, answer) => {
      asked++
      answer.writeHead(status).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => server.close())
    const health_check_url = `http://127.0.0.1:${portOf(server)}/health`
    const options = { checkIntervalMs: 100 }
    const [a, b] = [await run('a', options), await run('b', options)]
    const inASecond = async () => {
      asked = 0
      await sleep(1_000)
      return asked
    }
    await b.register(1, { health_check_url })
    expect([b.ports(), a.ports()]).toEqual([[1], [1]])
    expect(await inASecond()).toBeLessThan(15)
    status = 500
    await expectWithin(1_500, b.ports, [])
    status = 200
    await expectWithin(2_500, b.ports, [1])
    await a.close()
    asked = 0
    await expectWithin(5_000, () => asked > 5, true)
    status = 500
    await expectWithin(1_500, b.ports, [])
    const c = await run('c', options)
    await soon(c.ports, [])
    for (const { link } of [b, c]) link.isCut = true
    status = 200
    for (const { ports } of [b, c]) await expectWithin(6_000, ports, [1])
    // neither hears of the other
    status = 500
    for (const { ports } of [b, c]) await expectWithin(1_500, ports, [])
  })
})
