import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseEndpoint } from '../discovery/endpoint.ts'
import { InstancePool, type PoolLimits } from './pool.ts'
import { always, type RawUpstream, rawUpstream, until } from './testing/sockets.ts'
import { ask, connected, type Got, take } from './testing/taking.ts'

const CHUNKS = 100_000
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

function poolWith(limits: Partial<PoolLimits> = {}, { port = upstream.port, connectTimeoutMs = 30_000 } = {}) {
  const pool = new InstancePool(
    { endpoint: parseEndpoint(`http://127.0.0.1:${port}`), connectTimeoutMs, idleMs: 1_000, clock },
    {
      maxConnections: 10,
      maxWaiting: 10,
      maxWaitingUploads: 10,
      uploadShare: 1,
      callerShare: 1,
      ...limits,
    },
  )
  pools.push(pool)
  return pool
}

describe('InstancePool', () => {
  it('uses a connection again once its answer is in', async () => {
    const pool = poolWith()
    const first = await connected(pool)
    expect(await ask(first)).toBe('ok')
    expect(await connected(pool)).toBe(first)
    expect(upstream.open.size).toBe(1)
  })

  it('hands out the connection used last, so that the others can age', async () => {
    const pool = poolWith()
    const [one, two] = [await connected(pool), await connected(pool)]
    await ask(one)
    await ask(two)
    expect(await connected(pool)).toBe(two)
  })

  it('reads one buffer in a turn of the loop of an answer that comes in chunks of a byte, however much is there', async () => {
    await upstream.close()
    upstream = await rawUpstream((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(CHUNKS)}0\r\n\r\n`),
    )
    const connection = await connected(poolWith())
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
    const size = { all: 0, inTurn: 0, inLongestTurn: 0 }
    const nextTurn = () => {
      size.inTurn = 0
      if (size.all < CHUNKS) setImmediate(nextTurn)
    }
    setImmediate(nextTurn)
    connection.send('GET', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n', undefined, true, {
      onWhole: () => {},
      onHead: () => {},
      onBody({ length }) {
        size.all += length
        size.inTurn += length
        size.inLongestTurn = Math.max(size.inLongestTurn, size.inTurn)
      },
      onEnd: resolve,
      onDrain: () => {},
      onLost: reject,
    })
    await ended
    expect(size.all).toBe(CHUNKS)
    expect(size.inLongestTurn).toBeLessThanOrEqual(32_768 / 6 + 1)
  })

  it('counts what is waited for and under way', async () => {
    const pool = poolWith()
    expect(pool.pending).toBe(0)
    const taking = take(pool)
    expect(pool.pending).toBe(1)
    const connection = await taking
    if ('why' in connection) throw new Error(connection.why)
    const asking = ask(connection)
    expect(pool.pending).toBe(1)
    await asking
    expect(pool.pending).toBe(0)
  })

  it('lets requests wait for a connection beyond the limit, first come, first served', async () => {
    const pool = poolWith({ maxConnections: 1 })
    const first = await connected(pool)
    const order: number[] = []
    const waiting = [1, 2].map(async (number) => {
      const connection = await connected(pool)
      order.push(number)
      return ask(connection)
    })
    expect(pool.pending).toBe(3)
    await ask(first)
    expect(await Promise.all(waiting)).toEqual(['ok', 'ok'])
    expect(order).toEqual([1, 2])
    expect(upstream.received).toHaveLength(1)
  })

  it('refuses at once when too many wait', async () => {
    const pool = poolWith({ maxConnections: 1, maxWaiting: 1 })
    await connected(pool)
    const waiting = take(pool)
    expect(await take(pool)).toEqual({ why: 'overloaded' })
    pool.cancel(waiting.waiter)
    expect(pool.pending).toBe(1)
  })

  it('says why it could not connect, to each that waits', async () => {
    const { port } = upstream
    await upstream.close()
    const pool = poolWith({}, { port })
    const refusals = await Promise.all([take(pool), take(pool)])
    expect(refusals).toMatchObject(Array(2).fill({ why: 'connect', cause: { code: 'ECONNREFUSED' } }))
    upstream = await rawUpstream(always(OK))
  })

  it('drops idle connections that are too old, or that the upstream closes', async () => {
    const pool = poolWith()
    const first = await connected(pool)
    await ask(first)
    now = 1_000
    const second = await connected(pool)
    expect(second).not.toBe(first)
    await ask(second)
    now = 2_000
    pool.sweep(now)
    await until(() => upstream.open.size === 0)
    const third = await connected(pool)
    await ask(third)
    for (const socket of upstream.open) socket.destroy()
    await until(() => !third.isFresh(now))
    expect(await connected(pool)).not.toBe(third)
  })

  it('gives an idle connection up a second before the upstream does', async () => {
    await upstream.close()
    upstream = await rawUpstream(always('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok'))
    const pool = poolWith()
    const first = await connected(pool)
    await ask(first)
    expect(await connected(pool)).not.toBe(first)
  })

  it('keeps no connection after "Connection: close"', async () => {
    await upstream.close()
    upstream = await rawUpstream(always('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'))
    await ask(await connected(poolWith()))
    await until(() => upstream.open.size === 0)
  })

  it('keeps as many idle as it may have, and gives those used last', async () => {
    const pool = poolWith({ maxConnections: 3 })
    const three = [await connected(pool), await connected(pool), await connected(pool)]
    for (const connection of three) await ask(connection)
    expect([await connected(pool), await connected(pool), await connected(pool)]).toEqual(three.reverse())
  })

  describe('for what must not be sent twice', () => {
    const once = { once: true }
    /** Lets the upstream close an idle connection, and the pool see it. */
    const closeIdle = async (pool: InstancePool) => {
      const idle = await connected(pool)
      await ask(idle)
      for (const socket of upstream.open) socket.destroy()
      await until(() => idle.diedIdleMs !== undefined)
      await new Promise(setImmediate)
    }

    it('opens a connection while it is unknown how long idle ones live, and then takes one that is surely open', async () => {
      const pool = poolWith()
      const first = await connected(pool)
      await ask(first)
      now = 200
      const second = await connected(pool, once)
      expect(second).not.toBe(first)
      await ask(second)
      expect(await connected(pool, once)).toBe(second)
    })

    it('makes room for a new connection where all that may be open are idle', async () => {
      const pool = poolWith({ maxConnections: 1 })
      const first = await connected(pool)
      await ask(first)
      expect(await connected(pool, once)).not.toBe(first)
    })

    it('takes over one that was just freed', async () => {
      const pool = poolWith({ maxConnections: 1 })
      const first = await connected(pool)
      const waiting = connected(pool, once)
      await ask(first)
      expect(await waiting).toBe(first)
    })

    it('leaves one that was just freed to others where the upstream closes early', async () => {
      const pool = poolWith({ maxConnections: 1 })
      await closeIdle(pool)
      const first = await connected(pool)
      const waiting = connected(pool, once)
      const other = connected(pool)
      await ask(first)
      expect(await other).toBe(first)
      await ask(first)
      expect(await waiting).not.toBe(first)
    })

    it('opens one for who waited for his share', async () => {
      const pool = poolWith({ maxConnections: 4, callerShare: 0.25 })
      await closeIdle(pool)
      const holding = [await connected(pool), await connected(pool), await connected(pool)]
      const waiting = connected(pool, once)
      for (const connection of holding) await ask(connection)
      expect(holding).not.toContain(await waiting)
    })
  })

  describe('shared out', () => {
    const SHARES = { maxConnections: 8, uploadShare: 0.5, callerShare: 0.25, maxWaiting: 4, maxWaitingUploads: 2 }
    /** Waits until so many of these have a connection, and no more than so many. */
    const settled = async (takes: readonly Promise<Got>[], count: number) => {
      let got = 0
      for (const taking of takes) void taking.then((one) => (got += 'why' in one ? 0 : 1))
      await until(() => got >= count, `${count} connections`)
      await ask(await connected(poolWith()))
      expect(got).toBe(count)
    }

    it('lets uploads hold their part only, and one caller’s less', async () => {
      const pool = poolWith(SHARES)
      const alices = Array.from({ length: 5 }, () => take(pool, { caller: 1, upload: true }))
      await settled(alices, 2)
      expect(await alices[4]).toEqual({ why: 'share' })
      const bobs = [take(pool, { caller: 2, upload: true }), take(pool, { caller: 2, upload: true })]
      await settled(bobs, 2)
      expect(await take(pool, { caller: 3, upload: true })).toEqual({ why: 'overloaded' })
      expect(await ask(await connected(pool))).toBe('ok')
    })

    it('gives who waits for his share what others release, in order', async () => {
      const pool = poolWith(SHARES)
      const holding = [take(pool, { upload: true }), take(pool, { upload: true })]
      const [first, second] = [take(pool, { upload: true }), take(pool, { upload: true })]
      pool.cancel(second.waiter)
      expect(pool.pending).toBe(3)
      const connection = await holding[0]
      if (!connection || 'why' in connection) throw new Error('refused')
      await ask(connection)
      expect(await first).toBe(connection)
    })

    it('lets fewer uploads wait than other requests, since each holds a part of its body', async () => {
      const pool = poolWith({ ...SHARES, maxWaiting: 20, maxWaitingUploads: 1 })
      const uploads = Array.from({ length: 4 }, () => take(pool, { upload: true }))
      await settled(uploads, 2)
      expect(await uploads[3]).toEqual({ why: 'share' })
      const others = Array.from({ length: 12 }, () => take(pool))
      expect(pool.pending).toBe(15)
      pool.close()
      expect(await others.at(-1)).toEqual({ why: 'closed' })
    })

    it('leaves a part to the others, whatever one caller does', async () => {
      const pool = poolWith({ ...SHARES, maxWaiting: 6 })
      const alices = Array.from({ length: 13 }, () => take(pool, { caller: 1 }))
      await settled(alices, 6)
      expect(await alices[12]).toEqual({ why: 'share' })
      expect(pool.crowded).toBe(true)
      const bob = take(pool, { caller: 2 })
      await settled([bob, take(pool, { caller: 3 })], 2)
      pool.close()
      expect(await Promise.all(alices.slice(6, 12))).toEqual(Array(6).fill({ why: 'closed' }))
    })
  })

  it('closes: waiting requests are refused, those under way end', async () => {
    const pool = poolWith({ maxConnections: 1 })
    const connection = await connected(pool)
    const waiting = take(pool)
    pool.close()
    expect(await waiting).toEqual({ why: 'closed' })
    expect(await take(pool)).toEqual({ why: 'closed' })
    expect(await ask(connection)).toBe('ok')
    await until(() => upstream.open.size === 0)
  })
})
