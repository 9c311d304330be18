import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Cache, CacheOptions } from '../../src/drivers/cache/contract.ts'
import { redis, redisDriver } from '../../src/drivers/cache/redis.ts'
import type { DriverError } from '../../src/drivers/driver-error.ts'
import { LOOPBACK_CERTIFICATE } from '../../src/kit/http/testing/loopback-certificate.ts'
import { leastTime } from '../least-time.ts'
import { bulk, startFakeRedis } from '../servers/fake-redis.ts'
import { isHere } from '../servers/programs.ts'
import { type RedisServer, startRedis } from '../servers/redis.ts'
import { type RedisSet, say, startCluster, startSentinel } from '../servers/redis-sets.ts'
import { freePort } from '../servers/server.ts'
import { cacheSuite } from './cache-suite.ts'
import { cacheTableSuite } from './cache-table-suite.ts'

/** What a Redis before 5.0 says to a script that writes after it has asked for the time. */
const NOT_DETERMINISTIC =
  '-ERR Error running script (call to f_0123): @user_script:2: Write commands not allowed after non deterministic commands. Call redis.replicate_commands() at the start of your script in order to switch to single commands replication mode.'
/** Milliseconds in which a refusal comes that waits for no server: one that does takes a second. */
const AT_ONCE_MS = 500
const LIMIT = { perSecond: 0.001, burst: 1_000_000 }

describe.skipIf(!isHere('redis-server'))('Redis', () => {
  let server: RedisServer
  let cluster: RedisSet
  beforeAll(async () => {
    server = await startRedis()
    cluster = await startCluster()
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    await cluster?.[Symbol.asyncDispose]()
  })

  // a busy machine may hold a server up for longer than others wait for one
  const patient = redisDriver({ connectMs: 20_000, commandMs: 20_000, silenceMs: 30_000, firstWordMs: 20_000 })
  const kinds = [
    { kind: 'redis:', driver: patient, url: () => server.url },
    { kind: 'redis+cluster:', driver: patient, url: () => cluster.url },
  ]
  for (const kind of kinds) {
    cacheSuite(kind)
    cacheTableSuite(kind)
  }

  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (let close = closing.pop(); close; close = closing.pop()) await close()
  })

  /** Opens a cache, and notes what it tells. */
  async function open(url: string, options: Partial<CacheOptions> = {}, driver = redis) {
    const told: string[] = []
    const onAway = ({ kind }: DriverError) => void (told.at(-1) !== kind && told.push(kind))
    const cache = await driver.open({ url, prefix: 'test:', onAway, onBack: () => void told.push('back'), ...options })
    closing.push(() => cache.close())
    return { cache, told }
  }

  const openPatient = (url: string, options?: Partial<CacheOptions>) => open(url, options, patient)

  /** Listens in place of a Redis; gives the port. */
  async function listen(fake: Server): Promise<number> {
    await once(fake.listen(0, '127.0.0.1'), 'listening')
    closing.push(() => fake.close())
    return (fake.address() as AddressInfo).port
  }

  const take = (cache: Cache) => cache.take('a', LIMIT)
  const isBack = (cache: Cache, timeout?: number) =>
    expect
      .poll(
        () =>
          take(cache).then(
            ({ allowed }) => allowed,
            () => false,
          ),
        { ...(timeout !== undefined && { timeout }), interval: 20 },
      )
      .toBe(true)
  /** How many milliseconds a take takes to fail. */
  async function failure(cache: Cache): Promise<{ kind: string; ms: number; message: string }> {
    const begun = performance.now()
    const fault: DriverError = await take(cache).then(
      () => Promise.reject(new Error('it was taken')),
      (cause) => cause,
    )
    return { kind: fault.kind, message: fault.message, ms: performance.now() - begun }
  }
  /** The least that it takes. */
  const leastFailure = (cache: Cache, bar: number) => leastTime(bar, async () => (await failure(cache)).ms)

  describe('at the start', () => {
    const refusal = (url: string): Promise<DriverError> =>
      open(url).then(
        () => Promise.reject(new Error('it was opened')),
        (fault) => fault,
      )

    it('refuses what won’t pass by itself, with one line that says what to do and no password', async () => {
      await using guarded = await startRedis({
        password: 'hunter2',
        options: [
          ...'--user weak on >hunter3 ~other:* +@all'.split(' '),
          ...'--user deaf on >hunter3 ~* +@read +@write'.split(' '),
        ],
      })
      const at = `127.0.0.1:${guarded.port}`
      const http = await listen(createHttpServer((_, answer) => answer.end('hello')))
      const tls = await listen(createTlsServer(LOOPBACK_CERTIFICATE))
      const cases: readonly (readonly [url: string, words: string])[] = [
        [`redis://:wrong-secret@${at}`, 'refuses the user and password of the URL'],
        [`redis://nobody:wrong-secret@${at}`, 'refuses the user and password of the URL'],
        [`redis://${at}`, 'wants a password; write it into the URL'],
        [`redis://weak:hunter3@${at}`, 'does not let this user do what is needed; allow it'],
        [`redis://deaf:hunter3@${at}`, 'does not let this user do what is needed; allow it'],
        [`redis://:hunter2@${at}/99`, 'has no database of this number'],
        [`redis+cluster://:hunter2@${at}`, 'is no cluster; use redis://'],
        [`redis://127.0.0.1:${cluster.servers[0]?.port}`, 'is part of a cluster; use redis+cluster://'],
        [`redis://127.0.0.1:${http}`, 'answers, and is no Redis'],
        [`rediss://127.0.0.1:${tls}`, 'shows a certificate that is not trusted here'],
      ]
      for (const [url, words] of cases) {
        const { kind, message } = await refusal(url)
        expect(`${kind} ${message}`, url).toContain(words)
        expect(kind, message).toBe('invalid')
        expect(message).not.toMatch(/secret|hunter|\n/)
      }
    })

    describe('of a version', () => {
      /** A server that runs no script as this one needs it, and says what it is as those of its time do. */
      function old(answers: Readonly<Record<string, string>>) {
        return startFakeRedis(([name = '']) => {
          const command = name.toUpperCase()
          if (command.startsWith('EVAL')) return NOT_DETERMINISTIC
          return answers[command] ?? '+OK'
        })
      }
      const hello = (server: string, version: string) =>
        `*4\r\n${['server', server, 'version', version].map(bulk).join('\r\n')}`
      const info = (text: string) => bulk(`# Server\r\n${text}\r\nos:Linux`)
      const unknown = (name: string) => `-ERR unknown command \`${name}\`, with args beginning with: `

      it.each([
        ['4.0.14', { HELLO: unknown('HELLO'), INFO: info('redis_version:4.0.14') }],
        ['5.0.14', { HELLO: unknown('HELLO'), INFO: info('redis_version:5.0.14') }],
        ['5.9.103', { HELLO: hello('redis', '5.9.103') }],
      ])('%s is told what it is, and which is needed', async (version, answers) => {
        await using server = await old(answers)
        const { kind, message } = await refusal(server.url)
        expect(message).toBe(`cache: ${server.url} is a Redis ${version}; use one from 6.0 on, or a Valkey`)
        expect(kind).toBe('invalid')
      })

      it('that does not say which is told what it answers, and is not called away', async () => {
        await using server = await old({
          HELLO: unknown('HELLO'),
          INFO: '-NOPERM this user has no permissions to run it',
        })
        expect(await refusal(server.url)).toMatchObject({
          kind: 'invalid',
          message: expect.stringContaining(
            'is too old; use a Redis from 6.0 on, or a Valkey (ERR Error running script',
          ),
        })
        await using odd = await startFakeRedis(([name = '']) => (name === 'CLIENT' ? '+OK' : '-ERR something else'))
        const { cache } = await open(odd.url)
        expect(await failure(cache)).toMatchObject({
          kind: 'unavailable',
          message: `cache: ${odd.url} answers with an error (ERR something else)`,
        })
      })

      it.each([
        ['a Redis', hello('redis', '6.0.0')],
        ['a Valkey', hello('valkey', '8.1.3')],
        ['one that counts from 1', hello('valkey', '1.0.0')],
        ['one that says no version', hello('redis', 'unstable')],
        ['one whose user may not ask', "-NOPERM this user has no permissions to run the 'hello' command"],
        ['one of 6.0 that wants more words', "-ERR wrong number of arguments for 'hello' command"],
      ])('is taken: %s', async (_, answer) => {
        await using server = await startFakeRedis(([name = '']) =>
          name.toUpperCase() === 'HELLO' ? answer : name.toUpperCase().startsWith('EVAL') ? bulk('1') : '+OK',
        )
        const { told } = await open(server.url)
        expect(told).toEqual(['back'])
      })

      it('is looked at again at each connection', async () => {
        let version = '7.0.15'
        const port = await freePort()
        const start = () =>
          startFakeRedis(
            ([name = '']) =>
              name.toUpperCase() === 'HELLO'
                ? hello('redis', version)
                : name.toUpperCase().startsWith('EVAL')
                  ? bulk('1')
                  : '+OK',
            port,
          )
        const before = await start()
        const { cache, told } = await open(before.url)
        version = '5.0.14'
        await before[Symbol.asyncDispose]()
        await using _after = await start()
        await expect.poll(async () => (await failure(cache)).message).toContain('is a Redis 5.0.14')
        expect(told).toContain('back')
      })
    })

    it('notes a password that a server, or a node of a cluster, doesn’t want, and writes nothing on the console', async () => {
      const warned = vi.spyOn(console, 'warn')
      for (const url of [server.url, `redis+cluster://127.0.0.1:${cluster.servers[0]?.port}`]) {
        const { cache } = await openPatient(url.replace('//', '//:needless@'))
        expect((await take(cache)).allowed).toBe(true)
        expect(cache.notes).toEqual([expect.stringMatching(/ wants no password, and its URL has one$/)])
        expect(cache.notes.join()).not.toContain('needless')
      }
      const { cache } = await openPatient(server.url)
      expect(cache.notes).toEqual([])
      expect(warned).not.toHaveBeenCalled()
      warned.mockRestore()
    })

    it('hints at TLS where one side speaks it and the other does not', async () => {
      const tls = await listen(createTlsServer(LOOPBACK_CERTIFICATE))
      const cases = [
        [`redis://127.0.0.1:${tls}`, 'where it wants TLS, use rediss://'],
        [server.url.replace('redis:', 'rediss:'), 'where it speaks no TLS, use redis://'],
      ] as const
      for (const [url, words] of cases) {
        const { cache } = await open(url)
        expect(await failure(cache)).toMatchObject({ kind: 'unavailable', message: expect.stringContaining(words) })
      }
    })

    it('waits for one that is not there yet, and finds it by itself', async () => {
      await using late = await startRedis()
      await late.kill()
      const opening = await leastTime(1_500, async () => {
        const begun = performance.now()
        await open(late.url)
        return performance.now() - begun
      })
      expect(opening).toBeLessThan(1_500)
      const { cache, told } = await open(late.url)
      const { kind, message } = await failure(cache)
      expect(kind).toBe('unavailable')
      expect(message).toContain(
        `${late.url} can not be reached; start it, or correct the address (connect ECONNREFUSED`,
      )
      expect(await leastFailure(cache, AT_ONCE_MS)).toBeLessThan(AT_ONCE_MS)
      await expect(cache.check(AbortSignal.timeout(1_000))).rejects.toMatchObject({ kind: 'unavailable' })
      await late.start()
      await isBack(cache)
      expect(told).toEqual(['unavailable', 'back'])
    })

    it('takes silence for one that is away', async () => {
      const port = await listen(createServer((socket) => void closing.push(() => socket.destroy())))
      const { cache } = await open(`redis://127.0.0.1:${port}`)
      expect((await failure(cache)).kind).toBe('unavailable')
    })

    it('takes a replica for one that is not ready, until it is a primary', async () => {
      await using replica = await startRedis({ options: ['--replicaof', `127.0.0.1 ${server.port}`] })
      const { cache } = await open(replica.url)
      await expect
        .poll(() => failure(cache))
        .toMatchObject({ kind: 'unavailable', message: expect.stringContaining('replica') })
      await say(replica.port, 'REPLICAOF NO ONE')
      await isBack(cache)
    })

    it('takes one without memory for full, until it has some', async () => {
      await using small = await startRedis({ options: ['--maxmemory', '1mb'] })
      const { cache } = await open(small.url)
      await expect
        .poll(() => failure(cache))
        .toMatchObject({ kind: 'full', message: expect.stringContaining('maxmemory') })
      await say(small.port, 'CONFIG SET maxmemory 100mb')
      await isBack(cache)
    })

    it('gets through TLS with a user of its own', async () => {
      const { port } = server
      const { setDefaultCACertificates, getCACertificates } = await import('node:tls')
      const trusted = getCACertificates('default')
      setDefaultCACertificates([...trusted, LOOPBACK_CERTIFICATE.cert])
      closing.push(() => setDefaultCACertificates(trusted))
      const { connect } = await import('node:net')
      const front = createTlsServer(LOOPBACK_CERTIFICATE, (socket) => {
        const behind = connect(port, '127.0.0.1')
        socket.pipe(behind).pipe(socket)
        socket.on('error', () => behind.destroy())
        socket.on('close', () => behind.destroy())
      })
      await say(port, 'ACL SETUSER ann on >secret ~test:* +@read +@write +@scripting +time')
      const { cache } = await openPatient(`rediss://ann:secret@127.0.0.1:${await listen(front)}`)
      expect((await take(cache)).allowed).toBe(true)
    })
  })

  describe('while it runs', () => {
    it('fails at once when it is killed, and is back by itself within 5 s', async () => {
      await using mortal = await startRedis()
      const { cache, told } = await open(mortal.url)
      expect((await take(cache)).left).toBe(999_999)
      const back: number[] = []
      for (let round = 1; round <= 3; round++) {
        const underWay = Promise.allSettled(Array.from({ length: 100 }, () => take(cache)))
        await mortal.kill()
        for (const one of await underWay) if (one.status === 'rejected') expect(one.reason.kind).toBe('unavailable')
        await expect.poll(() => told.at(-1)).toBe('unavailable')
        expect((await failure(cache)).kind).toBe('unavailable')
        expect(await leastFailure(cache, AT_ONCE_MS)).toBeLessThan(AT_ONCE_MS)
        await mortal.start()
        const begun = performance.now()
        await isBack(cache)
        back.push(performance.now() - begun)
      }
      // the middle one: a busy machine is late once
      expect(back.toSorted((one, other) => one - other)[1]).toBeLessThan(5_000)
      expect((await take(cache)).left).toBeLessThan(999_997)
    })

    it('waits at most a second for one that hangs, and knows it again when it goes on', async () => {
      await using frozen = await startRedis()
      const { cache } = await open(frozen.url)
      const waited = await leastTime(1_500, async () => {
        frozen.freeze()
        const { kind, ms } = await failure(cache)
        expect(kind).toBe('unavailable')
        await expect.poll(async () => (await failure(cache)).ms).toBeLessThan(AT_ONCE_MS)
        frozen.resume()
        await isBack(cache)
        return ms
      })
      expect(waited).toBeLessThan(1_500)
    })

    it('closes at once while it hangs, and is waited for no longer', async () => {
      await using frozen = await startRedis()
      const closing = await leastTime(1_000, async () => {
        const { cache } = await open(frozen.url)
        frozen.freeze()
        const asked = take(cache).catch((fault) => fault.kind)
        const begun = performance.now()
        await cache.close()
        const took = performance.now() - begun
        expect(await asked).toBe('closed')
        frozen.resume()
        return took
      })
      expect(closing).toBeLessThan(1_000)
    })

    it('runs scripts that the server has forgotten', async () => {
      const { cache } = await openPatient(server.url)
      await take(cache)
      await say(server.port, 'SCRIPT FLUSH')
      expect((await take(cache)).allowed).toBe(true)
    })

    it('says that it is full, and goes on when there is room', async () => {
      await using small = await startRedis()
      const { cache } = await open(small.url)
      await take(cache)
      await say(small.port, 'CONFIG SET maxmemory 1')
      await expect.poll(async () => (await failure(cache)).kind).toBe('full')
      await say(small.port, 'CONFIG SET maxmemory 0')
      expect((await take(cache)).allowed).toBe(true)
    })

    it('gives greater fences after everything was lost', async () => {
      await using forgetful = await startRedis()
      const { cache } = await openPatient(forgetful.url)
      const before = await cache.acquire('a', 'one', 60_000)
      await say(forgetful.port, 'FLUSHALL')
      const after = await cache.acquire('a', 'two', 60_000)
      expect(after?.fence).toBeGreaterThan(before?.fence ?? Number.POSITIVE_INFINITY)
      expect(before && (await cache.renew(before, 1_000))).toBe(false)
    })

    it('has a table told anew after it was lost', async () => {
      await using forgetful = await startRedis()
      const table = (await openPatient(forgetful.url)).cache.table('a')
      await table.write([{ do: 'put', key: 'x', value: 'a', fence: 1 }])
      const { cursor } = await table.changes('')
      await say(forgetful.port, 'FLUSHALL')
      expect(await table.changes(cursor)).toMatchObject({ rows: [], afresh: true })
      const [touched] = await table.write([{ do: 'touch', key: 'x', fence: 1 }])
      expect(touched?.outcome).toBe('unknown')
      await table.write([{ do: 'put', key: 'x', value: 'a', fence: 1 }])
      expect((await table.changes(cursor)).rows).toMatchObject([{ key: 'x', is: 'put', value: 'a' }])
    })

    it('forgets what was removed from a table an hour ago', async () => {
      const table = (await openPatient(server.url, { prefix: 'old:' })).cache.table('a')
      await table.write([{ do: 'remove', key: 'x', fence: 1, value: 'gone' }])
      expect((await table.changes('')).rows).toHaveLength(1)
      await say(server.port, 'ZADD old:table:{.a}:gone 1 x')
      await table.write([{ do: 'put', key: 'y', value: 'b' }])
      expect((await table.changes('')).rows.map(({ key }) => key)).toEqual(['y'])
    })

    it('keeps nothing of a bucket that is full', async () => {
      const { cache } = await openPatient(server.url, { prefix: 'brief:' })
      await cache.take('a', { perSecond: 100, burst: 1 })
      await expect.poll(() => say(server.port, 'EXISTS brief:bucket:a'), { interval: 5 }).toBe(':0\r\n')
    })

    it('takes no more than there is, through two connections', async () => {
      const [one, other] = [(await openPatient(server.url)).cache, (await openPatient(server.url)).cache]
      const limit = { perSecond: 0.001, burst: 100 }
      const asked = Array.from({ length: 300 }, (_, at) => (at % 2 ? one : other).take('crowd', limit))
      expect((await Promise.all(asked)).filter(({ allowed }) => allowed)).toHaveLength(100)
    })
  })

  it('follows Sentinels to the server that takes over', { timeout: 120_000 }, async () => {
    await using set = await startSentinel()
    const { cache } = await open(set.url)
    expect((await take(cache)).allowed).toBe(true)
    const lease = await cache.acquire('a', 'one', 1)
    await set.servers[0]?.kill()
    // one that a busy machine held up waits for half a minute until it trusts itself (its TILT mode)
    await isBack(cache, 60_000)
    const next = await cache.acquire('a', 'two', 1_000)
    expect(next?.fence).toBeGreaterThan(lease?.fence ?? Number.POSITIVE_INFINITY)
    const unknown = set.url.replace(/main$/, 'other')
    await expect(open(unknown)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('correct the path'),
    })
  })

  it('goes on with a cluster whose node was restarted', async () => {
    await using set = await startCluster()
    const { cache } = await open(set.url)
    const all = () => Promise.all(Array.from({ length: 20 }, (_, at) => cache.take(`key-${at}`, LIMIT)))
    await all()
    await set.servers[1]?.kill()
    await expect(all()).rejects.toMatchObject({ kind: 'unavailable' })
    await set.servers[1]?.start()
    await expect
      .poll(
        () =>
          all().then(
            () => true,
            () => false,
          ),
        { interval: 50 },
      )
      .toBe(true)
  })
})
