import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { natsAddress } from '../../src/drivers/bus/nats/address.ts'
import { NatsLink } from '../../src/drivers/bus/nats/link.ts'
import { streamsOf } from '../../src/drivers/bus/nats/streams.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import type { DriverError } from '../../src/drivers/driver-error.ts'
import { type NatsCluster, startNatsCluster } from '../servers/nats-cluster.ts'
import { isHere } from '../servers/programs.ts'
import { ids, never } from './bus-fixture.ts'

/** What NATS itself takes to elect another leader for a stream, at most, in milliseconds (nats-server, server/raft.go: 4 to 9 s without a heartbeat). */
const ELECTION_MS = 9_000
/** What we take besides, in milliseconds. */
const BAR = 5_000
/** The same where most servers were away, which may vote in vain and then begin anew, in milliseconds: seen were up to 12 s. What NATS takes is measured then. */
const MOST_ELECTION_MS = 30_000
const KEYS = 5
/** Between two messages of a key, in milliseconds. */
const PACE_MS = 40

describe.skipIf(!isHere('nats-server'))('on a cluster of three NATS servers', () => {
  let cluster: NatsCluster
  let name = ''
  const buses: Bus[] = []

  beforeAll(async () => {
    cluster = await startNatsCluster()
  })
  afterAll(() => cluster?.[Symbol.asyncDispose]())
  beforeEach(() => {
    name = `t${randomUUID().slice(0, 8)}`
  })
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()))
  })

  const at = (replicas: number, url = cluster.url) => `${url}/${name}?replicas=${replicas}`
  const place = (url: string) => ({ url, folder: '', clock: systemClock })

  async function open(url = at(3)): Promise<Bus> {
    const bus = await nats.open(place(url))
    buses.push(bus)
    return bus
  }

  function message(id: string, topic: string, more: { readonly key?: string; readonly delayMs?: number } = {}) {
    const { key, ...delay } = more
    return { id, topic, payload: `"${id}"`, attributes: key === undefined ? {} : { partitionkey: key }, ...delay }
  }

  it('refuses more replicas than there are servers, at start and before a move, and makes nothing', async () => {
    const tooMany = { kind: 'invalid', message: expect.stringContaining("can't keep 5 replicas") }
    await expect(open(at(5))).rejects.toMatchObject(tooMany)
    const tooFew = { kind: 'unavailable', message: expect.stringContaining('and 3 are there') }
    await expect(nats.checkSizes(place(at(5)), [])).rejects.toMatchObject(tooFew)
    await nats.checkSizes(place(at(3)), [])
    expect(await nats.snapshot(place(at(3)))).toBeUndefined()
  })

  it('begins though the first server of its list is dead, and forgets none of them', async () => {
    const list = cluster.url.replace('//', '//127.0.0.1:1,')
    for (let round = 0; round < 3; round++) {
      const link = await NatsLink.open(natsAddress(list))
      const known = link.connection.getServers().map(({ listen }) => listen)
      await link.close()
      expect(new Set(known)).toEqual(new Set(natsAddress(list).servers))
    }
    const bus = await open(at(3, list))
    await bus.publish([message('1', 'a')])
  })

  it('loses nothing while each server is killed, and says 503 while most are away', { timeout: 240_000 }, async () => {
    const [one, two] = [await open(), await open()]
    const { id } = await one.subscribe({ topic: 'keyed', group: 'g' })
    const { id: late } = await one.subscribe({ topic: 'late', group: 'g' })
    const { id: strict } = await one.subscribe({ topic: 'bad', group: 'g', maxDeliver: 1 })

    // one that dies before, and one that is due while a server is away
    await one.publish([message('bad', 'bad'), message('late', 'late', { delayMs: 3_000 })])
    const [bad] = await one.pull(strict, { max: 1, waitMs: 20_000, signal: never })
    await one.nack(strict, [bad?.ack ?? ''], { reason: 'of no use' })

    const acknowledged = new Set<string>()
    const seen = new Set<string>()
    /** Those whose acknowledgement was answered: others may be acknowledged too, by an answer that got lost. */
    const done = new Set<string>()
    const wrong: string[] = []
    const refusals: DriverError[] = []
    const lastSeen = new Map<string, number>()
    let isOver = false
    const publish = async (key: string) => {
      for (let n = 1; !isOver; n++) {
        const mine = message(`${key}-${n}`, 'keyed', { key })
        const bus = n % 2 === 0 ? one : two
        while (!(await bus.publish([mine]).catch((fault: DriverError) => void refusals.push(fault)))) await sleep(50)
        acknowledged.add(mine.id)
        await sleep(PACE_MS)
      }
    }
    const consume = async (bus: Bus) => {
      while (!isOver || [...acknowledged].some((which) => !seen.has(which))) {
        const got = await bus.pull(id, { max: 20, waitMs: 200, signal: never }).catch(() => [])
        for (const { id: which } of got) {
          seen.add(which)
          const [key = '', n = ''] = which.split('-')
          if (done.has(which)) wrong.push(`${which} came again after it was acknowledged`)
          if (Number(n) > (lastSeen.get(key) ?? 0) + 1) wrong.push(`${which} came before the one ahead of it`)
          lastSeen.set(key, Math.max(lastSeen.get(key) ?? 0, Number(n)))
        }
        for (const { id: which, ack } of got) if ((await settled(bus, ack)) === 1) done.add(which)
        if (got.length === 0) await sleep(20)
      }
    }
    /** Acknowledges until that is answered, as the kit does: what isn't acknowledged is on lease until that ends, and holds its key up. */
    const settled = async (bus: Bus, ack: string) => {
      for (; ; await sleep(50)) {
        const count = await bus.ack(id, [ack]).catch(() => undefined)
        if (count !== undefined) return count
      }
    }
    const running = [
      ...Array.from({ length: KEYS }, (_, key) => publish(`k${key}`)),
      ...[one, two, two].map((bus) => consume(bus)),
    ]
    /** Resolves with how long it takes until more is published and delivered than now, in milliseconds. */
    const goesOn = async (timeout: number) => {
      const [start, published, before] = [performance.now(), acknowledged.size, seen.size]
      await expect.poll(() => acknowledged.size > published && seen.size > before, { timeout, interval: 20 }).toBe(true)
      return performance.now() - start
    }

    const { prefix: _, ...streams } = streamsOf(name)
    const all = Object.values(streams)

    await goesOn(MOST_ELECTION_MS + BAR)
    const leads = await cluster.leaderOf(streams.messages)
    const leader = cluster.servers.get(leads)
    const others = [...cluster.servers].filter(([server]) => server !== leads).map(([, server]) => server)
    await leader?.kill()
    expect(await goesOn(MOST_ELECTION_MS + BAR)).toBeLessThan(ELECTION_MS + BAR)
    await leader?.start()
    await goesOn(MOST_ELECTION_MS + BAR)
    await expect
      .poll(async () => ids(await one.pull(late, { max: 1, waitMs: BAR, signal: never })), {
        timeout: MOST_ELECTION_MS + BAR,
      })
      .toEqual(['late'])

    // until it has what they have, one that was away is as good as away: no two may be at a time
    await cluster.caughtUp(all)
    await Promise.all(others.map((server) => server.kill()))
    await expect(one.publish([message('none', 'keyed')])).rejects.toMatchObject({ kind: 'unavailable' })
    await Promise.all(others.map((server) => server.start()))
    const back = performance.now()
    const electing = cluster.elected(all).then(() => performance.now() - back)
    const took = await goesOn(MOST_ELECTION_MS + BAR)
    expect(took).toBeLessThan(Math.max(ELECTION_MS, await electing) + BAR)

    isOver = true
    await Promise.all(running)
    expect(wrong).toEqual([])
    expect(refusals.filter(({ kind }) => kind !== 'unavailable')).toEqual([])
    // what was refused may be stored all the same
    await expect
      .poll(async () => {
        const rest = await one.pull(id, { max: 20, waitMs: 0, signal: never })
        await one.ack(
          id,
          rest.map(({ ack }) => ack),
        )
        return one.subscription(id)
      })
      .toMatchObject({ pending: 0, leased: 0 })
    expect(await one.deadLetters({ limit: 10 })).toMatchObject([
      { id: 'bad', subscription: strict, reason: 'of no use' },
    ])
    expect(await two.redrive({ subscription: strict })).toBe(1)
    expect(ids(await two.pull(strict, { max: 1, waitMs: 20_000, signal: never }))).toEqual(['bad'])
  })
})
