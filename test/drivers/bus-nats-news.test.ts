import { randomUUID } from 'node:crypto'
import { connect, headers, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/drivers/bus/consumer.ts'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { laterWrite, messageWrite } from '../../src/drivers/bus/nats/message-format.ts'
import { subscriptionSubject } from '../../src/drivers/bus/nats/names.ts'
import type { Write } from '../../src/drivers/bus/nats/stream-writer.ts'
import { type Streams, streamsOf } from '../../src/drivers/bus/nats/streams.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import type { Publication } from '../../src/drivers/bus/publisher.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { leastTime } from '../least-time.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { ids, never } from './bus-fixture.ts'

/** What a broker may take to find what another one stored and told nobody of, in milliseconds. */
const BAR = 5_000
/** Longer than a broker looks for what was not told. */
const LONG_MS = 20_000

describe.skipIf(!isHere('nats-server'))('what a broker stored that died before it told the others', () => {
  let server: NatsServer
  let raw: NatsConnection
  let bus: Bus
  let streams: Streams
  let busy: NodeJS.Timeout
  let n = 0

  beforeAll(async () => {
    server = await startNats()
    raw = await connect({ servers: [`127.0.0.1:${server.port}`] })
  })
  afterAll(async () => {
    await raw.close()
    await server[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    streams = streamsOf(randomUUID().slice(0, 13))
    bus = await nats.open({ url: `${server.url}/${streams.prefix}`, folder: '', clock: systemClock })
    await bus.publish([message('first', 'quiet'), message('first', 'busy')])
    // what another topic has is told all the time, and has later places than what nobody told
    busy = setInterval(() => void bus.publish([message(`${n++}`, 'busy')]).catch(() => {}), 50)
  })
  afterEach(async () => {
    clearInterval(busy)
    await bus.close()
  })

  function message(id: string, topic: string): Publication {
    return { id, topic, payload: `"${id}"`, attributes: {} }
  }

  /** Stores as a broker does, and says nothing. */
  async function store({ subject, payload, id, headers: more = {} }: Write): Promise<void> {
    const all = headers()
    for (const [name, value] of Object.entries({ ...more, ...(id !== undefined && { 'Nats-Msg-Id': id }) }))
      all.set(name, value)
    const answer = (await raw.request(subject, payload, { headers: all, timeout: 20_000 })).json()
    expect(answer).not.toHaveProperty('error')
  }

  it('reaches a pull that waits, and a reader that watches, while other topics are told of', async () => {
    const { id } = await bus.subscribe({ topic: 'quiet' })
    let round = 0
    const least = await leastTime(BAR, async () => {
      const lost = `lost ${++round}`
      const waiting = bus.pull(id, { max: 1, waitMs: LONG_MS, signal: never })
      const heard = new Promise<void>((resolve) => bus.watch('quiet', resolve))
      await waitUntilEmpty(id)
      const start = performance.now()
      await store(messageWrite(streams, message(lost, 'quiet')))
      const got = await waiting
      await heard
      const took = performance.now() - start
      expect(ids(got)).toEqual([lost])
      await settle(id, got)
      return took
    })
    expect(least).toBeLessThan(BAR)
  })

  it('reaches a pull that waits at once when its publisher sends it again', async () => {
    const { id } = await bus.subscribe({ topic: 'quiet' })
    let least = Number.POSITIVE_INFINITY
    // a busy machine is late once, and a broker that looks for itself each time
    for (const lost of ['lost 1', 'lost 2', 'lost 3']) {
      const waiting = bus.pull(id, { max: 1, waitMs: LONG_MS, signal: never })
      await waitUntilEmpty(id)
      await store(messageWrite(streams, message(lost, 'quiet')))
      const start = performance.now()
      expect(await bus.publish([message(lost, 'quiet')])).toMatchObject([{ duplicate: true }])
      const got = await waiting
      least = Math.min(least, performance.now() - start)
      expect(ids(got)).toEqual([lost])
      await settle(id, got)
    }
    expect(least).toBeLessThan(800)
  })

  it.each([
    ['', false],
    [', and when its publisher sends it again', true],
  ])('takes its place at its time where it has a delay%s', async (_, isAgain) => {
    const { id } = await bus.subscribe({ topic: 'quiet' })
    let round = 0
    const least = await leastTime(BAR, async () => {
      const [lost, delayMs] = [message(`lost ${++round}`, 'quiet'), 500]
      const start = performance.now()
      await store(laterWrite(streams, lost, { topic: 'quiet', at: Date.now() + delayMs, delayMs }))
      if (isAgain) expect(await bus.publish([{ ...lost, delayMs }])).toMatchObject([{ duplicate: true }])
      const got = await bus.pull(id, { max: 1, waitMs: LONG_MS, signal: never })
      const took = performance.now() - start
      expect(ids(got)).toEqual([lost.id])
      await settle(id, got)
      return took
    })
    expect(least).toBeLessThan(BAR)
  })

  it('of subscriptions is known to all', async () => {
    const told: string[] = []
    bus.watchSubscriptions((which, terms) => told.push(`${which} ${terms?.push?.url}`))
    const id = randomUUID()
    const record = {
      id,
      key: 99,
      topic: 'quiet',
      maxDeliver: 5,
      ackWaitMs: 1_000,
      giveUpAfterMs: 0,
      after: 0,
      madeAt: 0,
    }
    const subject = subscriptionSubject(streams, id)
    await store({ subject, payload: JSON.stringify({ ...record, pushUrl: 'http://127.0.0.1:1/' }) })
    await expect.poll(() => told).toEqual([`${id} http://127.0.0.1:1/`])
    await store({ subject, payload: 'null' })
    await expect.poll(() => told.at(-1)).toBe(`${id} undefined`)
  })

  const settle = (id: string, got: readonly Delivery[]) =>
    bus.ack(
      id,
      got.map(({ ack }) => ack),
    )

  /** A pull that waits has found nothing once something that was asked for later is answered. */
  async function waitUntilEmpty(id: string): Promise<void> {
    expect(await bus.subscription(id)).toMatchObject({ pending: 0 })
  }
})
