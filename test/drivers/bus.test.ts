import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { embedded } from '../../src/drivers/bus/embedded.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { busSuite } from './bus-suite.ts'

busSuite({
  driver: embedded,
  url: () => 'embedded:',
  isAtomic: true,
  isShared: false,
})

describe('the embedded bus', () => {
  let folder: string
  const open = () => embedded.open({ url: 'embedded:', folder, clock: systemClock })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
  })
  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  it('keeps all that it acknowledged through kill -9 at any moment, and a retry makes no second copy', {
    timeout: 240_000,
  }, async () => {
    for (let round = 0; round < 10; round++) {
      const acknowledged = await publishUntilKilled(folder, `r${round}`, 20 + Math.random() * 60)
      expect(acknowledged.length).toBeGreaterThan(0)
      const bus = await open()
      const stored = await idsOf(bus, `r${round}-`)
      const once = new Set(stored)
      expect(once.size).toBe(stored.length)
      expect(acknowledged.filter((id) => !once.has(id))).toEqual([])

      // What the publisher doesn't know to be stored it sends again, with ids it may know already.
      const retried = [...stored.slice(-100), `r${round}-never-sent`]
      const messages = retried.map((id) => ({ id, topic: topicOf(id), payload: '{}', attributes: {} }))
      const receipts = await bus.publish(messages)
      expect(receipts.filter((receipt) => !receipt.duplicate).map(({ id }) => id)).toEqual([`r${round}-never-sent`])
      expect(await idsOf(bus, `r${round}-`)).toHaveLength(stored.length + 1)
      for (const { messages: count, firstOffset, lastOffset } of await bus.topics()) {
        expect([firstOffset, lastOffset]).toEqual([1, count])
      }
      await bus.close()
      expect(integrity(folder)).toEqual([{ integrity_check: 'ok' }])
    }
  })

  it('keeps what waits for its time through kill -9, and stores it once', { timeout: 120_000 }, async () => {
    for (let round = 0; round < 5; round++) {
      const acknowledged = await publishUntilKilled(folder, `r${round}`, 100 + Math.random() * 100, 300)
      const bus = await open()
      const stored = () => idsOf(bus, `r${round}-`)
      await expect.poll(async () => new Set(await stored()).isSupersetOf(new Set(acknowledged))).toBe(true)
      const all = await stored()
      expect(new Set(all).size).toBe(all.length)
      await bus.close()
      expect(integrity(folder)).toEqual([{ integrity_check: 'ok' }])
    }
  })

  it('drains 100 000 waiting messages without holding them in memory', { timeout: 120_000 }, async () => {
    const bus = await open()
    const { id } = await bus.subscribe({ topic: 'a' })
    const payload = JSON.stringify({ text: 'x'.repeat(200) })
    const publish = (first: number) =>
      bus.publish(
        Array.from({ length: 1000 }, (_, i) => ({ id: `m${first + i}`, topic: 'a', payload, attributes: {} })),
      )
    await publish(0)
    const before = memory()
    for (let first = 1000; first < 100_000; first += 1000) await publish(first)
    expect(await bus.subscription(id)).toMatchObject({ pending: 100_000, leased: 0 })
    const waiting = memory()
    let expected = 0
    for (;;) {
      const got = await bus.pull(id, { max: 1000, waitMs: 0, signal: new AbortController().signal })
      if (got.length === 0) break
      for (const delivery of got) expect(delivery.offset === ++expected).toBe(true)
      await bus.ack(
        id,
        got.map(({ ack }) => ack),
      )
    }
    expect(expected).toBe(100_000)
    expect(await bus.subscription(id)).toMatchObject({ pending: 0, leased: 0 })
    for (const size of [waiting, memory()]) expect(size - before).toBeLessThan(16e6)
    await bus.close()
  })
})

describe('one key with 100 000 messages waiting', () => {
  it('costs no memory, and holds up no other', { timeout: 120_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
    const bus = await embedded.open({ url: 'embedded:', folder, clock: systemClock })
    const signal = new AbortController().signal
    const { id } = await bus.subscribe({ topic: 'a' })
    const publish = (key: string, first: number, count: number) =>
      bus.publish(
        Array.from({ length: count }, (_, n) => {
          return {
            id: `${key}${first + n}`,
            topic: 'a',
            payload: `"${'x'.repeat(200)}"`,
            attributes: { partitionkey: key },
          }
        }),
      )
    await publish('busy', 0, 1000)
    const head = await bus.pull(id, { max: 10, waitMs: 0, signal })
    expect(head.map((one) => one.id)).toEqual(['busy0'])
    const before = memory()
    for (let first = 1000; first < 100_000; first += 1000) await publish('busy', first, 1000)
    await publish('other', 0, 3)
    for (const wanted of ['other0', 'other1', 'other2']) {
      const got = await bus.pull(id, { max: 10, waitMs: 0, signal })
      expect(got.map((one) => one.id)).toEqual([wanted])
      await bus.ack(
        id,
        got.map(({ ack }) => ack),
      )
    }
    expect(await bus.subscription(id)).toMatchObject({ pending: 100_000, leased: 1 })
    // not what others had the processor for meanwhile, nor what the disk took
    const start = process.threadCpuUsage()
    await publish('third', 0, 100)
    for (let n = 0; n < 100; n++) {
      const got = await bus.pull(id, { max: 1, waitMs: 20_000, signal })
      expect(got[0]?.id).toBe(`third${n}`)
      await bus.ack(id, [got[0]?.ack ?? ''])
    }
    const { user, system } = process.threadCpuUsage(start)
    expect((user + system) / 1_000).toBeLessThan(5_000)
    expect(memory() - before).toBeLessThan(16e6)
    await bus.ack(id, [head[0]?.ack ?? ''])
    expect((await bus.pull(id, { max: 10, waitMs: 0, signal })).map((one) => one.id)).toEqual(['busy1'])
    await bus.close()
    await rm(folder, { recursive: true })
  })
})

/** Runs a publisher on the folder and kills it `afterMs` after its first acknowledgement. Returns the ids it had acknowledged. */
async function publishUntilKilled(folder: string, prefix: string, afterMs: number, delayMs = 0): Promise<string[]> {
  const script = fileURLToPath(new URL('./bus-publisher.ts', import.meta.url))
  const child = spawn(process.execPath, [script, folder, prefix, `${delayMs}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (said === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
    said += text
  })
  await once(child, 'close')
  return said.split('\n').slice(0, -1)
}

/** The ids of all stored messages that begin with `prefix`, read page by page. */
async function idsOf(bus: Bus, prefix: string): Promise<string[]> {
  const found: string[] = []
  for (let after = await bus.place('>', 'first'); ; ) {
    const { messages, cursor } = await bus.read('>', { after, limit: 10_000 })
    if (messages.length === 0) return found
    found.push(...messages.filter(({ id }) => id.startsWith(prefix)).map(({ id }) => id))
    after = cursor
  }
}

/** The topic that the publisher gave an id. */
function topicOf(id: string): string {
  return `t.${Number(/\d+$/.exec(id)?.[0] ?? 0) % 2}`
}

function integrity(folder: string): unknown {
  const db = new DatabaseSync(join(folder, 'bus.db'))
  const result = db.prepare('PRAGMA integrity_check').all()
  db.close()
  return result
}

/** Bytes this process holds after a garbage collection. */
function memory(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}
