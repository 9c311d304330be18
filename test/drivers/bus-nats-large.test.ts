import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { connectTo } from '../../src/drivers/bus/nats/connected.ts'
import { DeadLetters } from '../../src/drivers/bus/nats/dead-letters.ts'
import { StreamWriter } from '../../src/drivers/bus/nats/stream-writer.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { never } from './bus-fixture.ts'

const MOST = 65_536

describe.skipIf(!isHere('nats-server'))('what is large on NATS', () => {
  let server: NatsServer
  beforeAll(async () => {
    server = await startNats({ config: `max_payload: ${MOST}` })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const open = (name: string) => nats.open({ url: `${server.url}/${name}`, folder: '', clock: systemClock })
  const message = (size: number, more: object = {}) => ({
    id: `of ${size}`,
    topic: 'a',
    payload: `"${'x'.repeat(size - 2)}"`,
    attributes: {},
    ...more,
  })

  /** Has all messages of a subscription die, the reason as long as one may be. */
  async function bury(bus: Bus, id: string): Promise<void> {
    const got = await bus.pull(id, { max: 10, waitMs: 20_000, signal: never })
    const tokens = got.map(({ ack }) => ack)
    expect(await bus.nack(id, tokens, { reason: '\u4e2d'.repeat(1_000) })).toBe(got.length)
  }

  /** The largest size that is taken of a message, and what refuses one byte more. */
  async function largest(bus: Bus, more: object): Promise<number> {
    let [low, high] = [0, MOST]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      const stored = bus.publish([message(middle, more)]).catch((fault: unknown) => fault)
      if (Array.isArray(await stored)) low = middle
      else high = middle
    }
    await expect(bus.publish([message(high, more)])).rejects.toMatchObject({
      kind: 'too-large',
      message: expect.stringMatching(/^a message of \S+ is too large: it has \d+ bytes .* max_payload is 65536\b/),
    })
    return low
  }

  it('dies with its content, as large as it may be, whatever is said beside it', async () => {
    const bus = await open('letters')
    const topic = `${'ä'.repeat(120)}.b`
    const attributes = { partitionkey: '"'.repeat(64) }
    const { id } = await bus.subscribe({ topic, maxDeliver: 1 })
    const size = await largest(bus, { topic: 'probe', attributes })
    // its name is longer than that of the probe, and its subject counts for nothing
    await bus.publish([message(size, { topic, attributes })])
    await bury(bus, id)
    expect(await bus.deadLetters({ limit: 10 })).toMatchObject([{ payload: message(size).payload, deliveries: 1 }])
    expect(await bus.redrive({})).toBe(1)
    const [again] = await bus.pull(id, { max: 1, waitMs: 20_000, signal: never })
    expect(again?.payload).toBe(message(size).payload)
    await bus.close()
  })

  it('and waits takes its place, and dies', async () => {
    const bus = await open('delayed')
    const { id } = await bus.subscribe({ topic: 'a', maxDeliver: 1 })
    const size = await largest(bus, { topic: 'probe', delayMs: 2_592_000_000 })
    await bus.publish([message(size, { delayMs: 50 })])
    await bury(bus, id)
    expect(await bus.deadLetters({ limit: 10 })).toMatchObject([{ payload: message(size).payload }])
    await bus.close()
  })

  it('and has no room as a dead letter any more, as max_payload was lowered, stays where it is', async () => {
    const bus = await open('lowered')
    await bus.publish([message(30_000)])
    const { id } = await bus.subscribe({ topic: 'a', from: 'first', maxDeliver: 1 })
    const { link, jetStream, streams } = await connectTo(`${server.url}/lowered`)
    const writer = new StreamWriter(link, () => systemClock.monotonic())
    Object.defineProperty(writer, 'mostBytes', { value: 1_000 })
    const [got] = await bus.pull(id, { max: 1, waitMs: 20_000, signal: never })
    if (got === undefined) throw new Error('it was not delivered')
    const payload = Array.from({ length: 5_000 }, (_, n) => String.fromCodePoint(0x4e00 + ((n * 7_919) % 20_000))).join(
      '',
    )
    const letters = new DeadLetters({ jetStream, streams, writer })
    const { reason } = await letters.add(id, { ...got, payload }, { deliveries: 1, attempt: 1, reason: 'no' })
    expect(reason).toMatch(/^no \(NATS takes no copy of it, as it is too large/)
    const [letter] = await bus.deadLetters({ limit: 10 })
    expect(letter).toMatchObject({ id: 'of 30000', topic: 'a', payload: message(30_000).payload, reason })
    await bus.ack(id, [got.ack])
    expect(await bus.redrive({})).toBe(1)
    const [again] = await bus.pull(id, { max: 1, waitMs: 20_000, signal: never })
    expect(again?.payload).toBe(message(30_000).payload)
    writer.close()
    await link.close()
    await bus.close()
  })

  it('is refused before anything of its call is stored', async () => {
    const bus = await open('calls')
    await expect(bus.publish([message(10), message(MOST)])).rejects.toMatchObject({ kind: 'too-large' })
    expect(() => bus.checkSize(message(MOST))).toThrow(expect.objectContaining({ kind: 'too-large' }))
    bus.checkSize(message(10))
    expect(await bus.topics()).toEqual([])
    await bus.close()
  })
})
