import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { afterEach, beforeEach } from 'vitest'
import type { Clock } from '../../../clock.ts'
import type { Delivery } from '../../consumer.ts'
import type { Bus, BusOptions } from '../../contract.ts'
import { embeddedDriver } from '../../embedded.ts'
import type { Receipt } from '../../publisher.ts'
import type { ReadMessage } from '../../reader.ts'
import type { Chance } from '../chance.ts'

/** A signal that never fires. */
export const never: AbortSignal = new AbortController().signal

/** What a test of the embedded bus works with: time and free space are its own to set. */
export interface EmbeddedBusFixture {
  bus: Bus
  folder: string
  /** Wall clock, milliseconds since 1970. */
  wall: number
  freeBytes: number
  readonly clock: Clock
  readonly chance: Chance
  open(options?: Partial<BusOptions>): Promise<void>
  /** Closes it first. */
  reopen(options?: Partial<BusOptions>): Promise<void>
  /** Lets time pass: both clocks go on by so much. */
  advance(ms: number): void
  publish(topic: string, ...ids: string[]): Promise<readonly Receipt[]>
  /** `m1`, `m2` and so on. */
  numbered(count: number, first?: number): string[]
  /** Pulls without waiting. */
  pull(id: string, max?: number): Promise<readonly Delivery[]>
  tokens(deliveries: readonly Delivery[]): string[]
  /** Reads all that is kept of a pattern, up to 100 messages. */
  readAll(pattern: string): Promise<readonly ReadMessage[]>
  /** Runs a statement on the file; the bus has to be closed. */
  query(sql: string): readonly Record<string, SQLOutputValue>[]
}

/** Opens a bus before each test of the file it is called in, in a folder of its own, and closes it afterwards. */
export function useEmbeddedBus(): EmbeddedBusFixture {
  let held: Bus | undefined
  let monotonic = 0
  const use: EmbeddedBusFixture = {
    get bus() {
      if (held === undefined) throw new Error('the bus is open within a test only')
      return held
    },
    set bus(bus) {
      held = bus
    },
    folder: '',
    wall: 0,
    freeBytes: 0,
    clock: { now: () => use.wall, monotonic: () => monotonic },
    chance: { random: () => 0, freeBytes: () => use.freeBytes },
    async open(options = {}) {
      const { folder, clock, chance } = use
      held = await embeddedDriver(chance).open({ url: 'embedded:', folder, clock, ...options })
    },
    async reopen(options = {}) {
      await use.bus.close()
      await use.open(options)
    },
    advance(ms) {
      use.wall += ms
      monotonic += ms
    },
    publish: (topic, ...ids) => use.bus.publish(ids.map((id) => ({ id, topic, payload: `"${id}"`, attributes: {} }))),
    numbered: (count, first = 1) => Array.from({ length: count }, (_, i) => `m${first + i}`),
    pull: (id, max = 100) => use.bus.pull(id, { max, waitMs: 0, signal: never }),
    async readAll(pattern) {
      const after = await use.bus.place(pattern, 'first')
      return (await use.bus.read(pattern, { after, limit: 100 })).messages
    },
    tokens: (deliveries) => deliveries.map(({ ack }) => ack),
    query(sql) {
      const db = new DatabaseSync(join(use.folder, 'bus.db'))
      const rows = db.prepare(sql).all()
      db.close()
      return rows
    },
  }

  beforeEach(async () => {
    use.folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
    use.wall = 1_700_000_000_000
    monotonic = 0
    use.freeBytes = 1e9
    await use.open()
  })
  afterEach(async () => {
    await use.bus.close()
    held = undefined
    await rm(use.folder, { recursive: true })
  })
  return use
}
