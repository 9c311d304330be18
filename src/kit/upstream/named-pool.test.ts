import type { LookupFunction } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseEndpoint } from '../discovery/endpoint.ts'
import { InstancePool } from './pool.ts'
import { always, type RawUpstream, rawUpstream } from './testing/sockets.ts'
import { ask, connected, take } from './testing/taking.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

let now = 0
const clock = { now: () => 0, monotonic: () => now }
let upstream: RawUpstream
const pools: InstancePool[] = []

beforeEach(async () => {
  now = 0
  upstream = await rawUpstream(always(OK))
})
afterEach(async () => {
  for (const pool of pools.splice(0)) pool.destroy()
  await upstream.close()
})

describe('a pool for a name', () => {
  let addresses: string[]
  let asked = 0
  const named = (host: string) => {
    const lookup: LookupFunction = (_, __, callback) => {
      asked++
      callback(null, [{ address: addresses.at(asked % addresses.length) ?? '', family: 4 }])
    }
    const limits = { maxConnections: 1, maxWaiting: 10, maxWaitingUploads: 10, uploadShare: 1, callerShare: 1 }
    const endpoint = parseEndpoint(`http://${host}:${upstream.port}`)
    const pool = new InstancePool({ endpoint, connectTimeoutMs: 30_000, idleMs: 60_000, clock, lookup }, limits)
    pools.push(pool)
    return pool
  }
  beforeEach(() => {
    asked = 0
    addresses = ['127.0.0.1']
  })

  it('asks what it means after 30 s, also when its connection is never idle for long', async () => {
    const pool = named('user.shop.example')
    for (const at of [0, 10_000, 29_999]) {
      now = at
      expect(await ask(await connected(pool))).toBe('ok')
    }
    expect(asked).toBe(1)
    const last = await connected(pool)
    const next = take(pool)
    now = 30_000
    expect(await ask(last)).toBe('ok')
    const fresh = await next
    expect(fresh).not.toBe(last)
    expect(asked).toBe(2)
  })

  it('makes no new connection to an address that it had', async () => {
    const pool = named('user.shop.example')
    expect(await ask(await connected(pool))).toBe('ok')
    addresses = ['127.0.0.99']
    now = 30_000
    expect(await take(pool)).toMatchObject({ why: 'connect', cause: { address: '127.0.0.99' } })
  })

  it('keeps a connection to an address, and to this machine', async () => {
    const pool = named('localhost')
    expect(await ask(await connected(pool))).toBe('ok')
    now = 50_000
    expect(await ask(await connected(pool))).toBe('ok')
    expect(asked).toBe(1)
  })
})
