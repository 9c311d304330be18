import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/drivers/bus/consumer.ts'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { connectTo } from '../../src/drivers/bus/nats/connected.ts'
import { Journal } from '../../src/drivers/bus/nats/journal.ts'
import { StreamWriter } from '../../src/drivers/bus/nats/stream-writer.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { leastTime } from '../least-time.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { ids, never } from './bus-fixture.ts'

/** What a broker may take to do what another one left undone, in milliseconds. */
const BAR = 5_000

describe.skipIf(!isHere('nats-server'))('brokers on one NATS', () => {
  let server: NatsServer
  let url = ''
  const buses: Bus[] = []
  const children: ChildProcess[] = []

  beforeAll(async () => {
    server = await startNats()
  })
  afterAll(() => server[Symbol.asyncDispose]())
  beforeEach(() => {
    url = `${server.url}/${randomUUID().slice(0, 13)}`
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await Promise.all(buses.splice(0).map((bus) => bus.close()))
  })

  async function open(clock = systemClock): Promise<Bus> {
    const bus = await nats.open({ url, folder: '', clock })
    buses.push(bus)
    return bus
  }

  /** Another broker's process, which leads the group and has taken `count` messages. */
  async function holder(topic: string, group: string, count: number) {
    const script = fileURLToPath(new URL('./bus-nats-broker.ts', import.meta.url))
    const child = spawn(process.execPath, [script, url, topic, group, String(count)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    const held: (readonly [id: string, ack: string])[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'all') break
      held.push(JSON.parse(line))
    }
    return { child, held }
  }

  function message(id: string, key?: string) {
    return { id, topic: 'a', payload: `"${id}"`, attributes: key === undefined ? {} : { partitionkey: key } }
  }

  async function take(bus: Bus, id: string, count: number): Promise<Delivery[]> {
    const got: Delivery[] = []
    while (got.length < count)
      got.push(...(await bus.pull(id, { max: count - got.length, waitMs: 20_000, signal: never })))
    return got
  }

  it('take over from one that is killed: what it had out comes again, what is acknowledged does not', async () => {
    const bus = await open()
    let round = 0
    const least = await leastTime(BAR, async () => {
      const group = `g${round++}`
      await bus.publish(['1', '2', '3', '4'].map((one) => ({ ...message(`${one} ${group}`), topic: group })))
      const { child, held } = await holder(group, group, 3)
      const { id } = await bus.subscribe({ topic: group, group })
      expect(await bus.ack(id, [held[0]?.[1] ?? ''])).toBe(1)
      child.kill('SIGKILL')
      const start = performance.now()
      const got = await take(bus, id, 3)
      const took = performance.now() - start
      expect(got.map((one) => [one.id, one.delivery]).toSorted()).toEqual([
        [`2 ${group}`, 2],
        [`3 ${group}`, 2],
        [`4 ${group}`, 1],
      ])
      expect(await bus.ack(id, [held[1]?.[1] ?? ''])).toBe(0)
      expect(await bus.ack(id, tokens(got))).toBe(3)
      expect(await bus.subscription(id)).toMatchObject({ pending: 0, leased: 0 })
      return took
    })
    expect(least).toBeLessThan(BAR)
  })

  it('take over from one that hangs, which finds on waking that it leads no more', async () => {
    const bus = await open()
    let round = 0
    const least = await leastTime(BAR, async () => {
      const group = `g${round++}`
      const send = (one: string) => bus.publish([{ ...message(`${one} ${group}`), topic: group }])
      await send('1')
      const { child, held } = await holder(group, group, 1)
      const { id } = await bus.subscribe({ topic: group, group })
      child.kill('SIGSTOP')
      const start = performance.now()
      const [again] = await take(bus, id, 1)
      const took = performance.now() - start
      expect(again).toMatchObject({ id: `1 ${group}`, delivery: 2 })
      child.kill('SIGCONT')
      expect(await bus.ack(id, [held[0]?.[1] ?? ''])).toBe(0)
      expect(await bus.ack(id, [again?.ack ?? ''])).toBe(1)
      await send('2')
      expect(ids(await take(bus, id, 1))).toEqual([`2 ${group}`])
      expect(await bus.countDeadLetters(1)).toBe(0)
      return took
    })
    expect(least).toBeLessThan(BAR)
  })

  it('lead again what they gave up when a write failed, for whoever asks', async () => {
    const [leader, other] = [await open(), await open()]
    const { id } = await leader.subscribe({ topic: 'a', group: 'g' })
    await leader.pull(id, { max: 1, waitMs: 0, signal: never })
    await other.publish([message('1')])
    const got = await take(other, id, 1)
    // an entry that it doesn't know of: its next one is refused
    const connected = await connectTo(url)
    const writer = new StreamWriter(connected.link, () => performance.now())
    const journal = new Journal(id, { ...connected, writer })
    const [last] = (await journal.read()).slice(-1)
    if (last !== undefined) await journal.add(last.by, last, true)
    writer.close()
    await connected.link.close()
    expect(await other.ack(id, tokens(got))).toBe(1)
  })

  it('give back what consumers had from one that is killed, though another leads', async () => {
    const bus = await open()
    const { id } = await bus.subscribe({ topic: 'a', group: 'g' })
    let round = 0
    const least = await leastTime(BAR, async () => {
      const [one, other] = [`${++round}`, `other ${round}`]
      await bus.publish([message(one), message(other)])
      const [mine] = await take(bus, id, 1)
      const { child } = await holder('a', 'g', 1)
      child.kill('SIGKILL')
      const start = performance.now()
      const again = await take(bus, id, 1)
      const took = performance.now() - start
      expect(again).toMatchObject([{ id: other, delivery: 2 }])
      expect(await bus.ack(id, [mine?.ack ?? '', again[0]?.ack ?? ''])).toBe(2)
      return took
    })
    expect(least).toBeLessThan(BAR)
  })

  it('keep the order of a key over a takeover: one at a time, the one that was out first', async () => {
    const bus = await open()
    await bus.publish(['x-1', 'x-2', 'x-3', 'y-1', 'y-2'].map((id) => message(id, id.slice(0, 1))))
    const { child, held } = await holder('a', 'g', 2)
    expect(held.map(([one]) => one).toSorted()).toEqual(['x-1', 'y-1'])
    const { id } = await bus.subscribe({ topic: 'a', group: 'g' })
    child.kill('SIGKILL')
    const seen: string[] = []
    while (seen.length < 5) {
      const got = await bus.pull(id, { max: 9, waitMs: 5_000, signal: never })
      expect(new Set(got.map((one) => one.id.slice(0, 1))).size).toBe(got.length)
      seen.push(...ids(got))
      await bus.ack(id, tokens(got))
    }
    expect(seen.filter((one) => one.startsWith('x'))).toEqual(['x-1', 'x-2', 'x-3'])
    expect(seen.filter((one) => one.startsWith('y'))).toEqual(['y-1', 'y-2'])
  })

  it('end leases that nobody asks for any more: a dead letter comes though its leader is killed', async () => {
    // by its clock the lease does not end
    const bus = await open({ ...systemClock, monotonic: () => 0 })
    const told: string[] = []
    bus.watchDeadLetters(({ id, reason }) => told.push(`${id} ${reason}`))
    const { id } = await bus.subscribe({ topic: 'a', group: 'g', maxDeliver: 1, ackWaitMs: 500 })
    await bus.publish([message('1')])
    await take(bus, id, 1)
    await bus.close()
    buses.splice(buses.indexOf(bus), 1)
    const other = await open()
    other.watchDeadLetters(({ id: one, reason }) => told.push(`${one} ${reason}`))
    await take(other, id, 1)
    await expect.poll(() => told).toEqual(['1 lease expired'])
  })

  it('read for many subscriptions at a time without a warning', async () => {
    const warnings: string[] = []
    const warned = ({ name }: Error) => warnings.push(name)
    process.on('warning', warned)
    const bus = await open()
    await bus.publish([message('1')])
    const groups = Array.from({ length: 30 }, (_, n) => ({ topic: 'a', group: `g${n}`, from: 'first' as const }))
    const subscriptions = await Promise.all(groups.map((group) => bus.subscribe(group)))
    const got = await Promise.all(subscriptions.map(({ id }) => take(bus, id, 1)))
    expect(got.flat()).toHaveLength(30)
    // a warning is told in a later turn of the loop
    await sleep(0)
    process.off('warning', warned)
    expect(warnings).toEqual([])
  })

  it('pass over what others send that nobody understands', async () => {
    const bus = await open()
    const { id } = await bus.subscribe({ topic: 'a' })
    const raw = await connect({ servers: [`127.0.0.1:${server.port}`] })
    const prefix = url.slice(url.lastIndexOf('/') + 1)
    const at = new Promise<string>((resolve) =>
      raw.subscribe(`${prefix}.here`, { callback: (_, heard) => resolve(`${prefix}.at.${heard.string()}`) }),
    )
    for (const subject of [`${prefix}.news`, await at]) {
      for (const text of ['what?', '{}', '{"seqs":1,"topics":{}}', 'null']) raw.publish(subject, text)
    }
    await raw.flush()
    await raw.close()
    let least = Number.POSITIVE_INFINITY
    // a busy machine is late once
    for (const which of ['1', '2', '3']) {
      const start = performance.now()
      await bus.publish([message(which)])
      expect(ids(await take(bus, id, 1))).toEqual([which])
      least = Math.min(least, performance.now() - start)
    }
    expect(least).toBeLessThan(1_000)
  })

  it('lose nothing, and are back within 5 s, when NATS is killed under them', async () => {
    const [one, two] = [await open(), await open()]
    const { id } = await one.subscribe({ topic: 'a', group: 'g' })
    const acknowledged = new Set<string>()
    const seen = new Set<string>()
    let isOver = false
    const back: number[] = []
    let n = 0
    const publish = async (bus: Bus) => {
      while (!isOver) {
        const mine = message(`m${n++}`, `k${n % 7}`)
        while (!(await bus.publish([mine]).catch(() => undefined))) await sleep(50)
        acknowledged.add(mine.id)
        await sleep(2)
      }
    }
    const consume = async (bus: Bus) => {
      while (!isOver || seen.size < acknowledged.size) {
        const got = await bus.pull(id, { max: 20, waitMs: 200, signal: never }).catch(() => [])
        for (const { id: which } of got) seen.add(which)
        // what isn't acknowledged is on lease until that ends, and holds its key up
        while ((await bus.ack(id, tokens(got)).catch(() => undefined)) === undefined) await sleep(50)
      }
    }
    const running = [publish(one), publish(two), publish(two), consume(one), consume(two), consume(two)]
    for (let round = 0; round < 3; round++) {
      await sleep(1_000)
      await server.kill()
      await sleep(500)
      await server.start()
      const since = performance.now()
      const [before, published] = [seen.size, acknowledged.size]
      await expect.poll(() => seen.size > before && acknowledged.size > published).toBe(true)
      back.push(performance.now() - since)
    }
    isOver = true
    await Promise.all(running)
    // the middle one: a busy machine is late once
    expect(back.toSorted((first, second) => first - second)[1]).toBeLessThan(BAR)
    expect([...acknowledged].filter((which) => !seen.has(which))).toEqual([])
    await expect.poll(() => one.subscription(id)).toMatchObject({ pending: 0, leased: 0 })
    expect(await one.countDeadLetters(1)).toBe(0)
  })
})

function tokens(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ ack }) => ack)
}
