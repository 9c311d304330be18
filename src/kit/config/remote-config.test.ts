import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { systemClock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import type { AppEnv } from '../http/app-env.ts'
import { type EventStream, eventStream } from '../http/event-stream.ts'
import { breakingOff } from '../http/testing/breaking-off.ts'
import { testWaits } from '../http/testing/waits.ts'
import type { Log } from '../telemetry/log.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import { createRemoteConfig, type RemoteConfigOptions } from './remote-config.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

const LOG: Log = { debug() {}, info() {}, warning() {}, error() {}, critical() {} }

/** A config server that says what the test says. */
function fakeServer(values: Record<string, unknown>) {
  const state = {
    values,
    away: false,
    status: 200,
    asked: [] as { etag: string | undefined }[],
    streams: new Set<EventStream>(),
  }
  const stopping = new AbortController()
  closing.push(() => stopping.abort())
  const app = new Hono<AppEnv>()
  app.get('/config/watch', (c) =>
    eventStream(c, { waits: testWaits(stopping.signal), log: silentLog }, async (events) => {
      state.streams.add(events)
      await events.over
      state.streams.delete(events)
    }),
  )
  app.get('/config/user-service/development', (c) => {
    const etag = `"${JSON.stringify(state.values).length}"`
    state.asked.push({ etag: c.req.header('if-none-match') })
    if (state.status !== 200) return c.text('no', 500)
    if (c.req.header('if-none-match') === etag) return c.body(null, 304)
    return c.json(state.values, 200, { etag })
  })
  const client: RemoteConfigOptions['client'] = {
    raw: async (path, init) => {
      if (state.away) throw new AppError('UNREACHABLE', 'No instance of config-server is known')
      return breakingOff(await app.request(path, init), init?.signal)
    },
  }
  return Object.assign(state, {
    client,
    change(next: Record<string, unknown>) {
      state.values = next
      for (const stream of state.streams) stream.send({ event: 'change', data: '{}' })
    },
  })
}

function follow(client: RemoteConfigOptions['client'], more: Partial<RemoteConfigOptions> = {}) {
  const remote = createRemoteConfig({
    client,
    service: 'user-service',
    environment: 'development',
    clock: systemClock,
    log: LOG,
    signal: new AbortController().signal,
    ...more,
  })
  closing.push(() => remote.close())
  return remote
}

describe('createRemoteConfig', () => {
  it('gives values of the type asked for, and the default for any other', async () => {
    const { client } = fakeServer({ text: 'a', whole: 3, part: 1.5, yes: true, list: [1], none: null })
    const remote = follow(client)
    expect(remote.getString('text', 'default')).toBe('default')
    await expect.poll(() => remote.getString('text', 'default')).toBe('a')
    expect(remote.getInteger('whole', 0)).toBe(3)
    expect(remote.getInteger('part', 0)).toBe(0)
    expect(remote.getNumber('part', 0)).toBe(1.5)
    expect(remote.getBoolean('yes', false)).toBe(true)
    expect(remote.getBoolean('whole', false)).toBe(false)
    expect(remote.getString('none', 'default')).toBe('default')
    expect(remote.getString('toString', 'default')).toBe('default')
    expect(remote.get('list')).toEqual([1])
    expect(remote.get('constructor')).toBeUndefined()
  })

  it('takes a change at once, asking with the validator it knows, and tells', async () => {
    const server = fakeServer({ limit: 1 })
    const remote = follow(server.client)
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(1)
    let told = 0
    remote.onChange(() => told++)
    server.change({ limit: 10 })
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(10)
    expect(told).toBe(1)
    expect(server.asked.at(-1)?.etag).toBe('"11"')
    const before = server.asked.length
    server.change({ limit: 10 })
    await expect.poll(() => server.asked.length).toBe(before + 1)
    expect(told).toBe(1)
  })

  it('asks again when the cache is old, though nothing was told', async () => {
    const server = fakeServer({ limit: 1 })
    const remote = follow(server.client, { cacheMs: 20 })
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(1)
    server.values = { limit: 20 }
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(20)
  })

  it('keeps the last good values while the server is away or fails, and catches up after', async () => {
    const server = fakeServer({ limit: 1 })
    const remote = follow(server.client, { cacheMs: 20 })
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(1)
    server.status = 500
    server.change({ limit: 20 })
    await expect.poll(() => server.asked.length).toBeGreaterThan(3)
    expect(remote.getInteger('limit', 0)).toBe(1)
    server.away = true
    server.status = 200
    expect(remote.getInteger('limit', 0)).toBe(1)
    server.away = false
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(20)
  })

  it('warns of a value that the service does not take', async () => {
    const { client } = fakeServer({ limit: 'abc', colour: 'blue' })
    const warned: string[] = []
    const log = { ...LOG, warning: (message: string) => void warned.push(message) }
    const live = z.object({ limit: z.number().default(1) })
    follow(client, { log, live })
    await expect.poll(() => warned).toEqual([`the config server's limit is passed over: expected a number, got "abc"`])
  })

  it('starts while the server is away', async () => {
    const server = fakeServer({ limit: 1 })
    server.away = true
    const remote = follow(server.client)
    expect(remote.getInteger('limit', 7)).toBe(7)
    server.away = false
    await expect.poll(() => remote.getInteger('limit', 7)).toBe(1)
  })

  it('ends with its signal', async () => {
    const server = fakeServer({ limit: 1 })
    const stop = new AbortController()
    const remote = follow(server.client, { signal: stop.signal })
    await expect.poll(() => server.streams.size).toBe(1)
    stop.abort()
    await remote.close()
    await expect.poll(() => server.streams.size).toBe(0)
  })
})
