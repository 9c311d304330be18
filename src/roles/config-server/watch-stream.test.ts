import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { createRemoteConfig } from '../../kit/config/remote-config.ts'
import { EventParser, type ReceivedEvent } from '../../kit/http/event-parser.ts'
import { breakingOff } from '../../kit/http/testing/breaking-off.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { closeAll, closing, DEV, run } from './testing/running-routes.ts'

afterEach(closeAll)

describe('watch', () => {
  it('tells of the changes that concern a service, without values', async () => {
    const { get, put, stop } = await run()
    await put('/config/_default/_default', { a: 1 })
    await put('/config/order-service/development', { a: 1 })
    const events: ReceivedEvent[] = []
    const answer = await get('/config/watch?service=user-service&environment=development')
    const reading = readEvents(answer, events)
    await expect.poll(() => events.length).toBe(1)
    await put('/config/order-service/development', { a: 2 })
    await put('/config/user-service/production', { a: 2 })
    await put(DEV, { a: 3 })
    await put('/config/_default/development', { b: 3 })
    await expect.poll(() => events.length).toBe(3)
    stop()
    await reading
    expect(events.map(({ event, data }) => [event, JSON.parse(data)])).toEqual([
      ['snapshot', { configs: [{ service: '_default', environment: '_default', version: 1 }] }],
      ['change', { service: 'user-service', environment: 'development', version: 1, keys: ['a'] }],
      ['change', { service: '_default', environment: 'development', version: 1, keys: ['b'] }],
    ])
  })

  it('reads what there is once for all watchers, whatever they watch, until there is news', async () => {
    const { put, get, reads, stop } = await run()
    await put(DEV, { a: 1 })
    const streams: Promise<void>[] = []
    async function snapshotOf(query: string) {
      const events: ReceivedEvent[] = []
      streams.push(readEvents(await get(`/config/watch${query}`), events))
      await expect.poll(() => events.length).toBeGreaterThan(0)
      return events[0]?.data
    }
    const one = { configs: [{ service: 'user-service', environment: 'development', version: 1 }] }
    expect(JSON.parse((await snapshotOf('')) ?? '')).toEqual(one)
    expect(JSON.parse((await snapshotOf('?service=user-service')) ?? '')).toEqual(one)
    expect(JSON.parse((await snapshotOf('?environment=other')) ?? '')).toEqual({ configs: [] })
    expect(reads()).toBe(1)
    await put(DEV, { a: 2 })
    expect(await snapshotOf('?environment=development')).toContain('"version":2')
    expect(reads()).toBe(2)
    stop()
    await Promise.all(streams)
  })

  it('keeps a RemoteConfig up to date', async () => {
    const { app, put } = await run()
    await put(DEV, { limit: 1 })
    const remote = createRemoteConfig({
      client: { raw: async (path, init) => breakingOff(await app.request(path, init), init?.signal) },
      service: 'user-service',
      environment: 'development',
      clock: systemClock,
      log: silentLog,
      signal: new AbortController().signal,
    })
    closing.push(() => remote.close())
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(1)
    await put(`${DEV}/limit`, 2)
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(2)
  })
})

async function readEvents(answer: Response, events: ReceivedEvent[]): Promise<void> {
  const parser = new EventParser((event) => events.push(event), 1_000_000)
  for await (const chunk of answer.body ?? []) parser.push(chunk)
}
