import { createServer } from 'node:net'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { describe, expect, it } from 'vitest'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { leastTime } from '../least-time.ts'
import { startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { never } from './bus-fixture.ts'

function open(url: string) {
  return nats.open({ url, folder: '', clock: systemClock })
}

const USERS = `authorization { users: [
  { user: shop, password: "p@ss:word" }
  { user: reader, password: r, permissions: { publish: "other.>" } }
] }`

describe.skipIf(!isHere('nats-server'))('a NATS that can’t be used', () => {
  it('is told in one line that says what to do, without the password', async () => {
    await using server = await startNats({ config: USERS })
    const at = (login: string) => server.url.replace('//', `//${login}@`)
    const bus = await open(at('shop:p%40ss%3Aword'))
    await bus.check(never)
    await bus.checkWrites()
    await bus.close()
    for (const login of ['shop:secret', 'nobody:secret', 'secret']) {
      const refused = open(at(login))
      await expect(refused).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('credentials') })
      await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('secret') })
    }
    await expect(open(at('reader:r'))).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/^NATS lets this user not (publish|subscribe) to \S+: give him that right$/),
    })
  })

  it('is told where there is none, and where what is there is none', async () => {
    await expect(open('nats://127.0.0.1:1')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/^bus: no NATS at 127\.0\.0\.1:1: .*refused.*; start it, or correct its URL$/),
    })
    await using other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0)
    const { port } = other.address() as { port: number }
    await expect(open(`nats://127.0.0.1:${port}`)).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(open('nats://127.0.0.1:1/x?creds=/nonexistent')).rejects.toMatchObject({
      kind: 'invalid',
      message: 'bus: creds in its URL names /nonexistent, and there is no such file: put it there, or correct the URL',
    })
    await expect(open('nats://127.0.0.1:1/x?creds=/dev/null')).rejects.toMatchObject({
      kind: 'invalid',
      message: 'bus: creds in its URL names /dev/null, which is not a regular file: correct the URL',
    })
  })

  it('is not touched when a newer version has written there', async () => {
    await using server = await startNats()
    const bus = await open(`${server.url}/shop`)
    await bus.close()
    const link = await connect({ servers: server.url })
    try {
      const { streams } = await jetstreamManager(link)
      await streams.update('shop-names', { description: 'format 99' })
      await expect(open(`${server.url}/shop`)).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringMatching(/newer version .*format 99, and this program knows \d+, stream shop-names/),
      })
      expect((await streams.info('shop-names')).config.description).toBe('format 99')
      await (await open(`${server.url}/other`)).close()
    } finally {
      await link.close()
    }
  })

  it('is told where JetStream is off, where TLS is, and where there are too few servers', async () => {
    await using off = await startNats({ jetstream: false })
    await expect(open(off.url)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/^bus: JetStream is off at \S+: start nats-server with -js/),
    })
    await using plain = await startNats()
    await expect(open(plain.url.replace('nats:', 'tls:'))).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/^bus: no encrypted connection to NATS at/),
    })
    const alone = { url: `${plain.url}/x?replicas=3`, folder: '', clock: systemClock }
    for (const use of [nats.open, nats.snapshot, (place: typeof alone) => nats.fill(place, 'run')]) {
      await expect(use(alone)).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringContaining("can't keep 3 replicas"),
      })
    }
  })
})

/** What an operator does whose server is full. */
async function emptyStreams(url: string): Promise<void> {
  const connection = await connect({ servers: url })
  const { streams } = await jetstreamManager(connection)
  for await (const name of streams.names()) if (name.endsWith('-messages')) await streams.purge(name)
  await connection.close()
}

describe.skipIf(!isHere('nats-server'))('a NATS that', () => {
  it('stands alone is never told to keep copies of what it has, which it would not find again', async () => {
    await using server = await startNats()
    const bus = await open(server.url)
    await bus.publish([{ id: '1', topic: 'a', payload: '1', attributes: {} }])
    await bus.close()
    await expect(open(`${server.url}?replicas=3`)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining("can't keep 3 replicas"),
    })
    await server.kill()
    await server.start()
    const again = await open(server.url)
    expect(await again.topics()).toMatchObject([{ topic: 'a' }])
    await again.close()
  })

  it('takes messages larger than what is read at a time gives them, one by one', async () => {
    await using server = await startNats({ config: 'max_payload: 20MB\nmax_pending: 64MB' })
    const bus = await open(server.url)
    const { id } = await bus.subscribe({ topic: 'a' })
    const payload = `"${'x'.repeat(9_000_000)}"`
    for (const name of ['1', '2']) await bus.publish([{ id: name, topic: 'a', payload, attributes: {} }])
    const found: string[] = []
    while (found.length < 2) {
      const part = await bus.pull(id, { max: 10, waitMs: 20_000, signal: never })
      expect(part).toHaveLength(1)
      found.push(...part.map((one) => one.id))
    }
    expect(found).toEqual(['1', '2'])
    expect(await bus.pull(id, { max: 10, waitMs: 0, signal: never })).toEqual([])
    await bus.close()
  })
  it('is asked much at a time brings no warning to whoever runs it', async () => {
    await using server = await startNats()
    const bus = await open(server.url)
    const warnings: string[] = []
    const onWarning = (warning: Error) => void warnings.push(String(warning))
    process.on('warning', onWarning)
    await Promise.all(Array.from({ length: 50 }, (_, n) => bus.place(`a${n}`, 'first')))
    await bus.close()
    // a warning is told in the next turn
    await new Promise(setImmediate)
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })

  it('is full says so, and takes messages again when there is room', async () => {
    await using server = await startNats({ config: 'jetstream { max_file_store: 1MB }', jetstream: true })
    const bus = await open(server.url)
    const message = (n: number) => ({ id: `${n}`, topic: 'a', payload: `"${'x'.repeat(100_000)}"`, attributes: {} })
    const fill = async () => {
      for (let n = 0; n < 30; n++) await bus.publish([message(n)])
    }
    await expect(fill()).rejects.toMatchObject({ kind: 'full' })
    await expect(bus.checkWrites()).rejects.toMatchObject({ kind: 'full' })
    await bus.check(never)
    await emptyStreams(server.url)
    await expect.poll(() => bus.publish([message(31)]).then(() => 'stored', String)).toBe('stored')
    await expect.poll(() => bus.checkWrites().then(() => 'writes', String)).toBe('writes')
    await bus.close()
  })

  it('goes away is told quickly, and is used again within 5 s of its return', async () => {
    await using server = await startNats()
    const bus = await open(server.url)
    const publish = (id: string) => bus.publish([{ id, topic: 'a', payload: '1', attributes: {} }])
    await publish('1')
    let round = 0
    const back = await leastTime(5_000, async () => {
      await server.kill()
      for (const call of [() => publish('2'), () => bus.check(AbortSignal.timeout(500)), () => bus.checkWrites()]) {
        const least = await leastTime(6_000, async () => {
          const start = performance.now()
          await expect(call()).rejects.toMatchObject({ kind: 'unavailable' })
          return performance.now() - start
        })
        expect(least).toBeLessThan(6_000)
      }
      await server.start()
      const start = performance.now()
      round++
      await expect.poll(() => publish(`back ${round}`).then(() => 'stored', String)).toBe('stored')
      return performance.now() - start
    })
    expect(back).toBeLessThan(5_000)
    await bus.close()
  })

  it('hangs is noticed, and what was asked of it is answered', async () => {
    await using server = await startNats()
    const bus = await open(server.url)
    const noticed = await leastTime(12_000, async () => {
      server.freeze()
      const start = performance.now()
      await expect(bus.publish([{ id: '1', topic: 'a', payload: '1', attributes: {} }])).rejects.toMatchObject({
        kind: 'unavailable',
      })
      const took = performance.now() - start
      server.resume()
      await expect.poll(() => bus.topics().then(() => 'here', String)).toBe('here')
      return took
    })
    expect(noticed).toBeLessThan(12_000)
    await bus.close()
  })
})
