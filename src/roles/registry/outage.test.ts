import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { openStore } from '../../drivers/store/open.ts'
import { LOCAL } from '../../kit/auth/asker.ts'
import { register } from '../../kit/discovery/registration.ts'
import { createDirectory } from '../../kit/discovery/registry-directory.ts'
import type { Layer } from '../../kit/http/exchange.ts'
import { listen } from '../../kit/http/listener.ts'
import { DEFAULT_LIMITS } from '../../kit/http/testing/listener-limits.ts'
import { testWaits } from '../../kit/http/testing/waits.ts'
import { errors } from '../../kit/middleware/errors.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { InstanceRows, type RegistryTables, registryMigrations } from './instance-rows.ts'
import { LEASE_LIMITS } from './lease.ts'
import { Registry } from './registry.ts'
import { registryRoutes } from './routes.ts'

const REGISTRY = 'http://127.0.0.1:8500'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-'))
  closing.push(() => rm(folder, { recursive: true }))
  return folder
}

/** Runs a registry on a port; `kill` cuts every connection without a word, as kill -9 does. */
async function run(folder: string, port = 0, address = REGISTRY) {
  const store = await openStore<RegistryTables>({
    url: 'sqlite:',
    name: 'registry',
    folder,
    migrations: registryMigrations,
  })
  const stopping = new AbortController()
  const { signal } = stopping
  const registry = new Registry({
    rows: new InstanceRows(store, silentLog, address),
    log: silentLog,
    checkIntervalMs: 10_000,
    signal,
    clock: systemClock,
    limits: LEASE_LIMITS,
    maxInstances: 100,
    maxPerService: 100,
    newId: () => crypto.randomUUID(),
  })
  await registry.open()
  const askedLocally: Layer = ({ scope }) => {
    scope.asker = LOCAL
    return undefined
  }
  const app = registryRoutes({
    registry,
    run: crypto.randomUUID(),
    clock: systemClock,
    waits: testWaits(signal),
    log: silentLog,
  })
  errors(app, silentLog)
  const listener = await listen({
    host: '127.0.0.1',
    port,
    limits: DEFAULT_LIMITS,
    layers: [askedLocally],
    app,
    clock: systemClock,
  })
  let killed = false
  async function kill() {
    if (killed) return
    killed = true
    await listener.drain(0)
    stopping.abort()
    registry.close()
    await store.close()
  }
  closing.push(kill)
  return { registry, kill, port: listener.port, url: `http://127.0.0.1:${listener.port}` }
}

function enrol(registryUrl: string, service: string, port: number, instance: string) {
  const directory = createDirectory({ statics: {}, registryUrl, service, log: silentLog, clock: systemClock })
  closing.push(() => directory.close())
  const metadata = { instance }
  const registration = register({ registryUrl, service, host: '127.0.0.1', port, metadata, log: silentLog, directory })
  closing.push(() => registration.leave())
  return { directory, registration }
}

const never = new AbortController().signal

describe('a registry that is killed', () => {
  it.each([
    ['comes back knowing everyone', true],
    ['comes back with nothing, and everyone registers again', false],
  ])('%s; nobody loses sight of anybody', async (_, keepsDisk) => {
    const folder = await newFolder()
    const first = await run(folder)
    const user = enrol(first.url, 'user-service', 8001, 'a')
    const order = enrol(first.url, 'order-service', 8002, 'b')
    const [before] = await order.directory.waitFor('user-service', never)
    await user.directory.waitFor('order-service', never)
    let gaps = 0
    order.directory.onChange((service) => {
      if (order.directory.instances(service).length === 0) gaps++
    })

    await first.kill()
    let isWatchingAgain = false
    order.directory.onConnect(() => {
      isWatchingAgain = true
    })
    expect(order.directory.instances('user-service')).toEqual([before])
    const second = await run(keepsDisk ? folder : await newFolder(), first.port)
    await expect.poll(() => second.registry.instances.count()).toEqual({ healthy: 2, unhealthy: 0 })
    const entries = [...second.registry.instances.byService().values()].flat()
    await expect
      .poll(() =>
        entries.every(({ instance }) => second.registry.instances.find({ id: instance.id })?.lease.at === 'held'),
      )
      .toBe(true)
    expect(order.directory.instances('user-service')).toHaveLength(1)
    expect(gaps).toBe(0)

    // who is not connected hears of no departure, and holds on to everyone for a while
    await expect.poll(() => isWatchingAgain).toBe(true)
    await user.registration.leave()
    await expect.poll(() => order.directory.instances('user-service')).toEqual([])
  })

  it('forgets whom another registry knew, whose data folder was copied', async () => {
    const folder = await newFolder()
    const first = await run(folder)
    enrol(first.url, 'user-service', 8001, 'a')
    await expect.poll(() => first.registry.instances.count().healthy).toBe(1)
    await first.kill()
    const copy = await run(folder, 0, 'http://127.0.0.1:9500')
    expect(copy.registry.instances.count()).toEqual({ healthy: 0, unhealthy: 0 })
    await copy.kill()
    const back = await run(folder, first.port)
    expect(back.registry.instances.count()).toEqual({ healthy: 0, unhealthy: 0 })
  })

  it('gives a process that was restarted on its port to watchers as a new one', async () => {
    const { url } = await run(await newFolder())
    const { directory } = enrol(url, 'gateway', 8000, 'g')
    enrol(url, 'user-service', 8001, 'a')
    const [before] = await directory.waitFor('user-service', never)
    enrol(url, 'user-service', 8001, 'b')
    await expect.poll(() => directory.instances('user-service')[0]?.metadata).toEqual({ instance: 'b' })
    expect(directory.instances('user-service')).toHaveLength(1)
    expect(directory.instances('user-service')[0]?.id).toBe(before?.id)
  })
})
