import type { LookupFunction } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseEndpoint } from '../discovery/endpoint.ts'
import type { UpstreamConnection } from './connection.ts'
import { InstancePool, type PoolRefusal } from './pool.ts'
import { always, type RawUpstream, rawUpstream } from './testing/sockets.ts'

describe('connections to a name', () => {
  let now = 0
  let asked = 0
  let address = '127.0.0.1'
  let upstream: RawUpstream
  const pools: InstancePool[] = []
  const lookup: LookupFunction = (_, __, callback) => {
    asked++
    callback(null, [{ address, family: 4 }])
  }

  beforeEach(async () => {
    now = 0
    asked = 0
    address = '127.0.0.1'
    upstream = await rawUpstream(always('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  })
  afterEach(async () => {
    for (const pool of pools.splice(0)) pool.destroy()
    await upstream.close()
  })

  /** A pool of one connection. */
  function poolOf(host: string): InstancePool {
    const endpoint = parseEndpoint(`http://${host}:${upstream.port}`)
    const clock = { now: () => 0, monotonic: () => now }
    const limits = { maxConnections: 1, maxWaiting: 10, maxWaitingUploads: 10, uploadShare: 1, callerShare: 1 }
    const pool = new InstancePool({ endpoint, connectTimeoutMs: 1_000, idleMs: 60_000, clock, lookup }, limits)
    pools.push(pool)
    return pool
  }

  function take(pool: InstancePool): Promise<{ connection: UpstreamConnection; release: () => void }> {
    return new Promise((resolve, reject) => {
      const waiter = {
        ...{ caller: 1, upload: false, once: false },
        onConnection: (connection: UpstreamConnection) => resolve({ connection, release: () => pool.release(waiter) }),
        onRefused: (refusal: PoolRefusal) => reject('cause' in refusal ? refusal.cause : new Error(refusal.why)),
      }
      pool.acquire(waiter)
    })
  }

  /** Sends a request; resolves with the body of its answer. */
  function ask({ connection, release }: Awaited<ReturnType<typeof take>>): Promise<string> {
    return new Promise((resolve, reject) => {
      const whole = (body: string) => {
        release()
        resolve(body)
      }
      connection.send('GET', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', undefined, true, {
        onWhole: (_, body) => whole(body),
        onHead: () => {},
        onBody: () => {},
        onEnd: () => whole(''),
        onDrain: () => {},
        onLost: reject,
      })
    })
  }

  it('are made anew after 30 s, also where one is never idle', async () => {
    const pool = poolOf('user.shop.example')
    for (const at of [0, 10_000, 29_999]) {
      now = at
      expect(await ask(await take(pool))).toBe('ok')
    }
    expect(asked).toBe(1)
    const last = await take(pool)
    const next = take(pool)
    now = 30_000
    expect(await ask(last)).toBe('ok')
    expect((await next).connection).not.toBe(last.connection)
    expect(asked).toBe(2)
  })

  it('are not made to an address that it had', async () => {
    const pool = poolOf('user.shop.example')
    expect(await ask(await take(pool))).toBe('ok')
    address = '127.0.0.99'
    now = 30_000
    await expect(take(pool)).rejects.toMatchObject({ address: '127.0.0.99' })
  })

  it('stay where it means this machine', async () => {
    const pool = poolOf('localhost')
    expect(await ask(await take(pool))).toBe('ok')
    now = 50_000
    expect(await ask(await take(pool))).toBe('ok')
    expect(asked).toBe(1)
  })
})
