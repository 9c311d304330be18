import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { Bus, BusDriver, Delivery, Publication, Receipt } from '../../src/drivers/bus/contract.ts'
import { type Clock, systemClock } from '../../src/drivers/clock.ts'

/** A signal that never fires. */
export const never: AbortSignal = new AbortController().signal

/** The ids of messages or subscriptions. */
export function ids(things: readonly { id: string }[]): string[] {
  return things.map(({ id }) => id)
}

/** What a test of a bus works with. */
export interface BusFixture {
  readonly bus: Bus
  /** A topic's full name: each test has topics of its own, so that a server's others don't matter. */
  topic(name: string): string
  message(name: string, id: string): Publication
  publish(name: string, ...ids: string[]): Promise<readonly Receipt[]>
  pull(subscription: string, max?: number, waitMs?: number, signal?: AbortSignal): Promise<readonly Delivery[]>
  /** Pulls, waiting, until `count` messages came. */
  take(subscription: string, count: number): Promise<Delivery[]>
  ackAll(subscription: string, deliveries: readonly Delivery[]): Promise<number>
  /** Opens the bus again, closing it if need be. */
  restart(): Promise<void>
  /** Moves the wall clock, and not the monotonic one. */
  jumpWallClock(ms: number): void
  /** Lets time pass: both clocks go on by so much. */
  pass(ms: number): void
}

/** Opens a bus before each test of the suite it is called in, in a folder of its own, and closes it afterwards. */
export function useBus(driver: BusDriver, url: string): BusFixture {
  let held: Bus | undefined
  let folder = ''
  let prefix = ''
  let jumped = 0
  let passed = 0
  const clock: Clock = {
    now: () => systemClock.now() + jumped + passed,
    monotonic: () => systemClock.monotonic() + passed,
  }
  const open = () => driver.open({ url, folder, clock })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
    prefix = `t${randomUUID().slice(0, 8)}`
    jumped = 0
    passed = 0
    held = await open()
  })
  afterEach(async () => {
    await held?.close()
    held = undefined
    await rm(folder, { recursive: true })
  })

  return {
    get bus() {
      if (held === undefined) throw new Error('the bus is open within a test only')
      return held
    },
    topic: (name) => `${prefix}.${name}`,
    message(name, id) {
      const topic = this.topic(name)
      return { id, topic, payload: `{"n":"${id}"}`, attributes: { source: '/test', type: topic } }
    },
    publish(name, ...all) {
      return this.bus.publish(all.map((id) => this.message(name, id)))
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
    async restart() {
      await this.bus.close()
      held = await open()
    },
    jumpWallClock(ms) {
      jumped = ms
    },
    pass(ms) {
      passed += ms
    },
  }
}
