import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { Delivery } from '../../src/drivers/bus/consumer.ts'
import type { Bus, BusDriver, BusLimits, BusOptions } from '../../src/drivers/bus/contract.ts'
import type { Publication, Receipt } from '../../src/drivers/bus/publisher.ts'
import type { ReadMessage } from '../../src/drivers/bus/reader.ts'
import { type Clock, systemClock } from '../../src/drivers/clock.ts'

/** A signal that never fires. */
export const never: AbortSignal = new AbortController().signal

/** The ids of messages or subscriptions. */
export function ids(things: readonly { id: string }[]): string[] {
  return things.map(({ id }) => id)
}

/** A driver to be tested, and what it can't be asked for. */
export interface BusUnderTest {
  readonly driver: BusDriver
  /** What each test opens: a bus of its own. Called before each. */
  readonly url: () => string | Promise<string>
  /** What it is opened with besides. */
  readonly options?: Partial<BusOptions>
  /** Whether nothing is stored of what it refuses to publish as one. */
  readonly isAtomic: boolean
  /** Whether several brokers may have it open at once. */
  readonly isShared: boolean
}

/** What a test of a bus works with. */
export interface BusFixture {
  readonly bus: Bus
  readonly under: BusUnderTest
  /** A topic's full name: each test has topics of its own, so that a server's others don't matter. */
  topic(name: string): string
  message(name: string, id: string): Publication
  publish(name: string, ...ids: string[]): Promise<readonly Receipt[]>
  /** Publishes messages whose key is the part of their ids before the dash. */
  publishKeyed(name: string, ...ids: string[]): Promise<readonly Receipt[]>
  pull(subscription: string, max?: number, waitMs?: number, signal?: AbortSignal): Promise<readonly Delivery[]>
  /** Pulls, waiting, until `count` messages came. */
  take(subscription: string, count: number): Promise<Delivery[]>
  ackAll(subscription: string, deliveries: readonly Delivery[]): Promise<number>
  /** Reads all that is kept of a pattern, up to 100 messages. */
  readAll(pattern: string): Promise<readonly ReadMessage[]>
  /** Opens the same bus once more, as another broker does; closed after the test. */
  another(limits?: BusLimits): Promise<Bus>
  /** Opens the bus again, closing it if need be. */
  restart(limits?: BusLimits): Promise<void>
  /** The wall clock, milliseconds since 1970. */
  now(): number
  /** Moves the wall clock, and not the monotonic one. */
  jumpWallClock(ms: number): void
  /** Lets time pass: both clocks go on by so much. */
  pass(ms: number): void
  /** Both clocks stand still until `goOn`, but for what passes: what is done meanwhile takes no time, however busy the machine is. */
  stand(): void
  goOn(): void
}

/** Opens a bus before each test of the suite it is called in, in a folder of its own, and closes it afterwards. */
export function useBus(under: BusUnderTest): BusFixture {
  let held: Bus | undefined
  const others: Bus[] = []
  let folder = ''
  let url = ''
  let prefix = ''
  let jumped = 0
  let passed = 0
  /** What the system's clocks were when the bus's began to stand still. */
  let stood: { readonly now: number; readonly monotonic: number } | undefined
  const clock: Clock = {
    now: () => (stood?.now ?? systemClock.now()) + jumped + passed,
    monotonic: () => (stood?.monotonic ?? systemClock.monotonic()) + passed,
  }
  const open = (limits: BusLimits = {}) => under.driver.open({ ...under.options, ...limits, url, folder, clock })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
    prefix = `t${randomUUID().slice(0, 8)}`
    jumped = 0
    passed = 0
    stood = undefined
    url = await under.url()
    held = await open()
  })
  afterEach(async () => {
    for (const bus of others.splice(0)) await bus.close()
    await held?.close()
    held = undefined
    await rm(folder, { recursive: true })
  })

  return {
    get bus() {
      if (held === undefined) throw new Error('the bus is open within a test only')
      return held
    },
    under,
    topic: (name) => `${prefix}.${name}`,
    message(name, id) {
      const topic = this.topic(name)
      return { id, topic, payload: `{"n":"${id}"}`, attributes: { source: '/test', type: topic } }
    },
    publish(name, ...all) {
      return this.bus.publish(all.map((id) => this.message(name, id)))
    },
    publishKeyed(name, ...all) {
      const keyed = all.map((id) => this.message(name, id))
      return this.bus.publish(
        keyed.map((one) => ({
          ...one,
          attributes: { ...one.attributes, partitionkey: one.id.replace(/-.*/, '') },
        })),
      )
    },
    pull(subscription, max = 100, waitMs = 0, signal = never) {
      return this.bus.pull(subscription, { max, waitMs, signal })
    },
    async take(subscription, count) {
      const got: Delivery[] = []
      while (got.length < count) got.push(...(await this.pull(subscription, count - got.length, 5000)))
      return got
    },
    ackAll(subscription, deliveries) {
      return this.bus.ack(
        subscription,
        deliveries.map(({ ack }) => ack),
      )
    },
    async readAll(pattern) {
      const after = await this.bus.place(pattern, 'first')
      return (await this.bus.read(pattern, { after, limit: 100 })).messages
    },
    async another(limits) {
      const bus = await open(limits)
      others.push(bus)
      return bus
    },
    async restart(limits) {
      await this.bus.close()
      held = await open(limits)
    },
    now: () => clock.now(),
    jumpWallClock(ms) {
      jumped = ms
    },
    pass(ms) {
      passed += ms
    },
    stand() {
      stood = { now: systemClock.now(), monotonic: systemClock.monotonic() }
    },
    goOn() {
      // whole ones: the wall clock has no others
      passed -= Math.floor(systemClock.monotonic() - (stood?.monotonic ?? systemClock.monotonic()))
      stood = undefined
    },
  }
}
