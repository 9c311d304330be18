import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { portOf } from '../http/port-of.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import type { Instance } from './directory.ts'
import { register } from './registration.ts'
import { createDirectory, type DirectoryOptions } from './registry-directory.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

/** A registry as the wire shows it, with its hands tied: it says what the test says. */
class FakeRegistry {
  port = 0
  run = 'a'
  instances: Instance[] = []
  readonly calls: { path: string; body: Record<string, unknown>; authorization: string | undefined }[] = []
  readonly #streams = new Set<ServerResponse>()
  #server = createServer((request, response) => void this.#answer(request, response))
  registerStatus = 201
  known = true

  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#answer(request, response))
    await new Promise<void>((resolve) => this.#server.listen(this.port, '127.0.0.1', resolve))
    this.port = portOf(this.#server)
  }

  async stop(): Promise<void> {
    const stopped = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    this.#streams.clear()
    await stopped
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get watchers(): number {
    return this.#streams.size
  }

  send(event: string, data: unknown): void {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  paths(): string[] {
    return this.calls.map(({ path }) => path.replace('/registry/', ''))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    const { authorization } = request.headers
    if (path === '/registry/watch') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      this.#streams.add(response)
      response.on('close', () => this.#streams.delete(response))
      this.send('snapshot', { registry: this.run, revision: 1, instances: this.instances })
      return
    }
    let text = ''
    try {
      for await (const chunk of request) text += String(chunk)
    } catch {
      // cut off by the end of the registry: it said nothing
      return
    }
    this.calls.push({ path, body: JSON.parse(text) as Record<string, unknown>, authorization })
    if (path === '/registry/register') {
      response.writeHead(this.registerStatus).end(JSON.stringify({ status: 'registered', id: 'id-1', fence: 7 }))
      if (this.registerStatus === 201) this.known = true
    } else response.writeHead(this.known ? 200 : 404).end('{}')
  }
}

async function fakeRegistry(): Promise<FakeRegistry> {
  const registry = new FakeRegistry()
  await registry.start()
  closing.push(() => registry.stop())
  return registry
}

function directoryFor(registryUrl: string, more: Partial<DirectoryOptions> = {}) {
  const directory = createDirectory({
    statics: {},
    registryUrl,
    service: 'gateway',
    log: silentLog,
    clock: systemClock,
    ...more,
  })
  closing.push(() => directory.close())
  return directory
}

function instance(port: number): Instance {
  return {
    id: `i${port}`,
    service_name: 'user',
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}`,
    tags: [],
    metadata: {},
  }
}

const never = new AbortController().signal

describe('createDirectory', () => {
  it('takes in thousands of instances with as much metadata as they may have', async () => {
    const registry = await fakeRegistry()
    const metadata = { a: 'x'.repeat(1_000), b: 'x'.repeat(1_000), c: 'x'.repeat(1_000), d: 'x'.repeat(1_000) }
    registry.instances = Array.from({ length: 4_500 }, (_, port) => ({ ...instance(port + 1), metadata }))
    const directory = directoryFor(registry.url)
    expect(await directory.waitFor('user', never)).toHaveLength(4_500)
  })

  it('follows the registry: snapshot, changes, removals', async () => {
    const registry = await fakeRegistry()
    registry.instances = [instance(1)]
    const directory = directoryFor(registry.url)
    const changes: string[] = []
    expect(directory.instances('user')).toEqual([])
    expect(await directory.waitFor('user', never)).toEqual([instance(1)])
    const stop = directory.onChange((service) => changes.push(service))
    registry.send('up', { revision: 2, instance: instance(2) })
    await expect.poll(() => directory.instances('user')).toHaveLength(2)
    registry.send('down', { revision: 3, id: 'i1', service_name: 'user', reason: 'deregistered' })
    await expect.poll(() => directory.instances('user')).toEqual([instance(2)])
    expect(changes).toEqual(['user', 'user'])
    stop()
  })

  it('keeps the last known list while the registry is away, and for a grace time after it came back empty', async () => {
    const registry = await fakeRegistry()
    registry.instances = [instance(1), instance(2)]
    const directory = directoryFor(registry.url, { graceMs: 150 })
    await directory.waitFor('user', never)
    await registry.stop()
    registry.run = 'b'
    registry.instances = []
    expect(directory.instances('user')).toHaveLength(2)
    await registry.start()
    await expect.poll(() => registry.watchers).toBe(1)
    registry.send('up', { revision: 2, instance: instance(2) })
    expect(directory.instances('user')).toHaveLength(2)
    await expect.poll(() => directory.instances('user')).toEqual([instance(2)])
  })

  it('prefers static addresses, and connects to nothing without a registry', async () => {
    const directory = directoryFor('', {
      statics: { user: 'http://127.0.0.1:1, https://[::1]/base/', registry: 'http://r:8500' },
    })
    expect(directory.instances('user')).toMatchObject([
      { host: '127.0.0.1', port: 1, url: 'http://127.0.0.1:1' },
      { host: '::1', port: 443, url: 'https://[::1]/base' },
    ])
    expect(directory.instances('registry')).toMatchObject([{ url: 'http://r:8500' }])
    expect(directory.instances('order')).toEqual([])
    expect(await directory.waitFor('user', never)).toHaveLength(2)
    expect(() => directoryFor('', { statics: { user: '127.0.0.1:1' } })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })

  it('gives up waiting when told to, and when it closes', async () => {
    const directory = directoryFor('')
    await expect(directory.waitFor('user', AbortSignal.timeout(1))).rejects.toMatchObject({ code: 'UNREACHABLE' })
    const waiting = directory.waitFor('user', never)
    await directory.close()
    await expect(waiting).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  it('takes no address that is refused', async () => {
    const registry = await fakeRegistry()
    registry.instances = [{ ...instance(1), host: '169.254.169.254' }, instance(2)]
    const directory = directoryFor(registry.url)
    expect(await directory.waitFor('user', never)).toEqual([instance(2)])
    registry.send('up', { revision: 2, instance: { ...instance(2), host: '0x7f.1' } })
    registry.send('up', { revision: 3, instance: instance(3) })
    await expect.poll(() => directory.instances('user').map(({ port }) => port)).toEqual([3])
  })

  it('asks the next registry when one is away', async () => {
    const registry = await fakeRegistry()
    registry.instances = [instance(1)]
    const gone = await fakeRegistry()
    await gone.stop()
    expect(await directoryFor(`${gone.url}, ${registry.url}`).waitFor('user', never)).toHaveLength(1)
  })
})

describe('register', () => {
  function registerAt(registry: FakeRegistry, { heartbeatMs = 60_000, log = silentLog } = {}) {
    const directory = directoryFor(registry.url)
    const authority = {
      mode: 'token' as const,
      serviceToken: (from: string, to: string) => Promise.resolve(`${from}>${to}`),
    }
    const registration = register({
      registryUrl: registry.url,
      service: 'user',
      host: '127.0.0.1',
      port: 8001,
      metadata: { instance: 'x' },
      log,
      directory,
      authority,
      heartbeatMs,
    })
    closing.push(() => registration.leave())
    return registration
  }

  it('registers with a token, keeps up heartbeats, and leaves', async () => {
    const registry = await fakeRegistry()
    const registration = registerAt(registry, { heartbeatMs: 10 })
    await expect.poll(() => registry.calls.length).toBeGreaterThan(3)
    expect(registry.calls[0]).toEqual({
      path: '/registry/register',
      authorization: 'Bearer user>registry',
      body: { service_name: 'user', host: '127.0.0.1', port: 8001, tags: [], metadata: { instance: 'x' } },
    })
    expect(registry.calls[1]).toMatchObject({ path: '/registry/heartbeat', body: { id: 'id-1', fence: 7 } })
    expect(await registration.leave()).toBe(true)
    expect(registry.calls.at(-1)).toMatchObject({
      path: '/registry/deregister',
      body: { service_name: 'user', host: '127.0.0.1', port: 8001 },
    })
    expect(await registration.leave()).toBe(false)
  })

  it('registers again at once when it is not known', async () => {
    const registry = await fakeRegistry()
    registerAt(registry, { heartbeatMs: 10 })
    await expect.poll(() => registry.paths()).toContain('heartbeat')
    registry.known = false
    await expect.poll(() => registry.paths().filter((path) => path === 'register')).toHaveLength(2)
  })

  it('speaks up as soon as the registry is back, without waiting for the next heartbeat', async () => {
    const registry = await fakeRegistry()
    registerAt(registry)
    // that it watches doesn't say that it is registered: the heartbeat comes once it is both
    await expect.poll(() => registry.paths()).toEqual(['register', 'heartbeat'])
    await registry.stop()
    registry.known = false
    registry.calls.length = 0
    await registry.start()
    await expect.poll(() => registry.paths().slice(0, 2)).toEqual(['heartbeat', 'register'])
  })

  it('logs a refusal once, goes on trying, and leaves quickly when the registry is away', async () => {
    const errors: string[] = []
    const registry = await fakeRegistry()
    registry.registerStatus = 400
    const registration = registerAt(registry, {
      heartbeatMs: 5,
      log: { ...silentLog, error: (message) => errors.push(message) },
    })
    await expect.poll(() => registry.calls.length).toBeGreaterThan(4)
    expect(errors).toEqual([expect.stringContaining('refuses user: status 400')])
    await registry.stop()
    expect(await registration.leave()).toBe(false)
  })

  it('does nothing without a registry', async () => {
    const directory = directoryFor('')
    const registration = register({
      registryUrl: '',
      service: 'user',
      host: 'h',
      port: 1,
      metadata: {},
      log: silentLog,
      directory,
    })
    expect(await registration.leave()).toBe(false)
  })
})
