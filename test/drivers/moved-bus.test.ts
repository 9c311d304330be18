import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bus, BusPlace } from '../../src/drivers/bus/contract.ts'
import { fillBus, openBus, readBus } from '../../src/drivers/bus/open.ts'
import type { BusSnapshot, KeptMessage } from '../../src/drivers/bus/transfer.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { differingRest, differingTopics } from '../../src/kit/migration/bus-comparison.ts'
import { busDigest } from '../../src/kit/migration/bus-digest.ts'
import { fillFrom } from '../../src/kit/migration/bus-filling.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'

const never = new AbortController().signal
const clock = systemClock
/** Longer than a test takes. */
const HOUR_MS = 3_600_000

let folder: string
let server: NatsServer | undefined
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'msvc-moved-'))
  if (isHere('nats-server')) server = await startNats()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const anEmbedded = (): BusPlace => ({ url: 'embedded:', folder: join(folder, randomUUID()), clock })
const onNats = (): BusPlace => ({ url: `${server?.url}/${randomUUID().slice(0, 13)}`, folder: '', clock })

type Op =
  | {
      readonly does: 'publish'
      readonly topic: number
      readonly key: number
      readonly count: number
      readonly delayed: boolean
    }
  | {
      readonly does: 'pull' | 'ack' | 'nack' | 'later' | 'release' | 'wait' | 'redrive' | 'subscribe'
      readonly of: number
      readonly max: number
    }

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('publish' as const),
      topic: fc.nat(2),
      key: fc.nat(3),
      count: fc.integer({ min: 1, max: 6 }),
      delayed: fc.nat(9).map((one) => one === 0),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      does: fc.constantFrom(
        'pull',
        'pull',
        'pull',
        'ack',
        'nack',
        'nack',
        'later',
        'release',
        'wait',
        'redrive',
        'subscribe',
      ),
      of: fc.nat(3),
      max: fc.integer({ min: 1, max: 5 }),
    }),
  },
)

/** What leaves something of each kind to move: messages out, held behind one of their key, dead, and such that wait for their time. */
const OF_EACH_KIND: readonly Op[] = [
  { does: 'publish', topic: 0, key: 1, count: 6, delayed: false },
  { does: 'publish', topic: 0, key: 0, count: 3, delayed: false },
  { does: 'publish', topic: 0, key: 0, count: 1, delayed: true },
  { does: 'pull', of: 0, max: 5 },
  { does: 'nack', of: 0, max: 1 },
  { does: 'pull', of: 2, max: 5 },
]

const GROUPS = ['orders.0', 'orders.1', 'orders.*', '>']

/** Uses a bus at random, in a way that another run repeats. */
async function use(bus: Bus, ops: readonly Op[]): Promise<void> {
  let published = 0
  const ids: string[] = []
  const out = new Map<string, string[]>()
  const subscribe = async (of: number) => {
    const topic = GROUPS[of] ?? '>'
    const terms = { group: `g${of}`, owner: 'shop', maxDeliver: of === 0 ? 1 : 3, ackWaitMs: HOUR_MS }
    const { id } = await bus.subscribe({ topic, ...terms, from: of % 2 === 0 ? 'first' : 'new' })
    ids[of] = id
  }
  for (const of of GROUPS.keys()) await subscribe(of)
  for (const one of ops) {
    if (one.does === 'publish') {
      const messages = Array.from({ length: one.count }, (_, at) => ({
        id: `m${published + at}`,
        topic: `orders.${one.topic}`,
        payload: JSON.stringify({ number: published + at, text: 'é\u0001"' }),
        attributes: { source: '/test', ...(one.key > 0 && { partitionkey: `k${one.key}` }) },
        ...(one.delayed && { delayMs: HOUR_MS }),
      }))
      published += one.count
      await bus.publish(messages, 'shop')
      continue
    }
    if (one.does === 'subscribe') await subscribe(one.of)
    const id = ids[one.of]
    if (id === undefined) continue
    const tokens = out.get(id) ?? []
    if (one.does === 'pull') {
      const got = await bus.pull(id, { max: one.max, waitMs: 0, signal: never, consumer: 'one' })
      out.set(id, [...tokens, ...got.map(({ ack }) => ack)])
    } else if (one.does === 'ack') await bus.ack(id, tokens.splice(0, one.max))
    else if (one.does === 'nack') await bus.nack(id, tokens.splice(0, one.max), { delayMs: 0, reason: 'no' })
    else if (one.does === 'later') await bus.nack(id, tokens.splice(0, one.max), { delayMs: 1, later: true })
    else if (one.does === 'release') await bus.release(id, 'one')
    else if (one.does === 'redrive') await bus.redrive({ subscription: id })
    else await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** What a subscription gets until it has nothing left: by key in order, the rest as a set. */
async function drainOne(bus: Bus, id: string): Promise<unknown> {
  const byKey: Record<string, string[]> = {}
  while ((await bus.subscription(id))?.pending !== 0) {
    const got = await bus.pull(id, { max: 50, waitMs: 1_000, signal: never })
    for (const { id: message, delivery, attributes, payload, ack } of got) {
      const key = attributes.partitionkey ?? ''
      const seen = byKey[key] ?? []
      byKey[key] = [...seen, `${message} ${delivery} ${payload}`]
      if (message.endsWith('7')) await bus.nack(id, [ack], { delayMs: 0, reason: 'a seven' })
      else await bus.ack(id, [ack])
    }
  }
  byKey[''] = (byKey[''] ?? []).toSorted()
  const dead = await bus.deadLetters({ subscription: id, limit: 1_000 })
  return { byKey, dead: dead.map((one) => `${one.id} ${one.deliveries} ${one.reason} ${one.payload}`).toSorted() }
}

/** What every subscription gets, and what readers find. */
async function drain(bus: Bus): Promise<unknown> {
  const all = (await bus.subscriptions()).map(async ({ id, group = '' }) => [group, await drainOne(bus, id)] as const)
  const found = Object.fromEntries(await Promise.all(all))
  const after = await bus.place('>', 'first')
  const log = await bus.read('>', { after, limit: 1_000 })
  return { found, log: log.messages.map(({ offset: _offset, cursor: _cursor, ...message }) => message) }
}

async function snapshotOf(place: BusPlace): Promise<BusSnapshot> {
  const snapshot = await readBus(place)
  if (!snapshot) throw new Error('there is no bus')
  return snapshot
}

/** How much there was to move in all: a test of nothing would find nothing. */
const seen = { out: 0, held: 0, deadLetters: 0, delayed: 0 }

async function note(bus: BusSnapshot): Promise<void> {
  const { deadLetters, delayed } = await bus.counts()
  seen.deadLetters += deadLetters
  seen.delayed += delayed
  for (const { out, held } of await bus.subscriptions()) {
    seen.out += out.filter(({ deliveries }) => deliveries > 0).length
    seen.held += held.length
  }
}

/** Fills one bus from another, as often as is said, and compares what they hold. */
async function move(from: BusPlace, to: BusPlace, times = 1): Promise<void> {
  const source = await snapshotOf(from)
  await note(source)
  for (let time = 1; time <= times; time++) {
    const filling = await fillBus(to, 'run')
    await fillFrom(source, filling, { signal: never })
    expect(await differingTopics(source, filling, { after: 0, signal: never })).toEqual([])
    expect(await differingRest(source, await filling.rest(), never)).toEqual([])
    if (time === times) await filling.end()
    await filling.close()
  }
  const target = await snapshotOf(to)
  expect(await busDigest(target, { signal: never })).toEqual(await busDigest(source, { signal: never }))
  expect(target.filledBy).toBe(undefined)
  await Promise.all([source.close(), target.close()])
}

async function drained(place: BusPlace): Promise<unknown> {
  const bus = await openBus(place)
  try {
    return await drain(bus)
  } finally {
    await bus.close()
  }
}

async function movedAsItIs(way: () => readonly BusPlace[], numRuns: number): Promise<void> {
  const property = fc.asyncProperty(fc.array(op, { minLength: 40, maxLength: 80, size: 'max' }), async (ops) => {
    const places = way()
    const [first] = places
    if (!first) return
    const bus = await openBus(first)
    await use(bus, ops)
    await bus.close()
    for (const [at, place] of places.entries()) {
      const next = places[at + 1]
      if (next) await move(place, next, 1 + (at % 2))
    }
    const [expected, found] = await Promise.all([drained(first), drained(places.at(-1) ?? first)])
    expect(found).toEqual(expected)
  })
  await fc.assert(property, { numRuns, endOnFailure: true, examples: [[[...OF_EACH_KIND]]] })
  expect(Object.entries(seen).filter(([, count]) => count === 0)).toEqual([])
}

describe.concurrent('a bus that is moved', () => {
  it('delivers the same as the one it came from, in the same order of each key', { timeout: 300_000 }, async () => {
    await movedAsItIs(() => [anEmbedded(), anEmbedded(), anEmbedded()], 8)
  })

  describe.skipIf(!isHere('nats-server'))('to NATS', () => {
    it('delivers the same there', { timeout: 300_000 }, () => movedAsItIs(() => [anEmbedded(), onNats()], 4))
    it('and back', { timeout: 300_000 }, () => movedAsItIs(() => [anEmbedded(), onNats(), anEmbedded()], 4))
    it('and from one to another', { timeout: 300_000 }, () => movedAsItIs(() => [onNats(), onNats()], 3))
  })
})

describe.concurrent.each([
  { what: 'a file', place: anEmbedded, isHere: true },
  { what: 'NATS', place: onNats, isHere: isHere('nats-server') },
])('a bus that is filled, on $what', { timeout: 180_000 }, ({ place, isHere }) => {
  const message = { id: 'one', topic: 'theirs', payload: '1', attributes: {} }

  async function used(at: BusPlace) {
    const bus = await openBus(at)
    await bus.subscribe({ topic: 'theirs', group: 'g' })
    await bus.publish([message, { ...message, id: 'later', delayMs: HOUR_MS }])
    return bus
  }

  async function digestOf(at: BusPlace) {
    const snapshot = await snapshotOf(at)
    try {
      return await busDigest(snapshot, { signal: never })
    } finally {
      await snapshot.close()
    }
  }

  /** A run that ended before it was said to be the end. */
  async function filled(at: BusPlace, run: string) {
    const from = anEmbedded()
    await (await used(from)).close()
    const source = await snapshotOf(from)
    const filling = await fillBus(at, run)
    await fillFrom(source, filling, { signal: never })
    await filling.close()
    return source
  }

  it.skipIf(!isHere)('is not another platform’s, whether that runs or not', async () => {
    const at = place()
    const theirs = await used(at)
    await expect(fillBus(at, 'run')).rejects.toMatchObject({ kind: 'unavailable' })
    await theirs.close()
    const before = await digestOf(at)
    await expect(fillBus(at, 'run')).rejects.toMatchObject({ kind: 'conflict' })
    expect(await digestOf(at)).toEqual(before)
    expect(before).toMatchObject({ topics: { theirs: { messages: 1 } }, delayed: { count: 1 } })
  })

  it.skipIf(!isHere)('is gone on with by its own run, and by no other', async () => {
    const at = place()
    const source = await filled(at, 'run')
    await expect(fillBus(at, 'other')).rejects.toMatchObject({ kind: 'conflict' })
    const filling = await fillBus(at, 'run')
    await fillFrom(source, filling, { signal: never })
    await filling.end()
    await filling.close()
    await source.close()
    await expect(fillBus(at, 'run')).rejects.toMatchObject({ kind: 'conflict' })
  })

  it.skipIf(!isHere)('is nobody’s to fill once a broker has opened it', async () => {
    const at = place()
    await (await filled(at, 'run')).close()
    await (await openBus(at)).close()
    await expect(fillBus(at, 'run')).rejects.toMatchObject({ kind: 'conflict' })
  })

  it.skipIf(!isHere)('is told apart from one that it doesn’t have all of', async () => {
    const [from, at] = [anEmbedded(), place()]
    const first = await openBus(from)
    await first.publish([{ ...message, id: 'same', topic: 'same' }, message, { ...message, id: 'last' }])
    await first.close()
    const source = await snapshotOf(from)
    const filling = await fillBus(at, 'run')
    await fillFrom(source, filling, { signal: never })
    const seenAs = (change: (part: readonly KeptMessage[]) => readonly KeptMessage[]) => ({
      ...source,
      async *messages(after: number) {
        for await (const part of source.messages(after)) yield change(part)
      },
    })
    const changed = seenAs((part) => part.map((one) => (one.id === 'one' ? { ...one, payload: '2' } : one)))
    const lost = seenAs((part) => part.filter((one) => one.id !== 'one'))
    const topics = (of: BusSnapshot, after: number, target: Parameters<typeof differingTopics>[1] = filling) =>
      differingTopics(of, target, { after, signal: never })
    expect(await topics(source, 0)).toEqual([])
    expect(await topics(changed, 0)).toEqual(['theirs'])
    expect(await topics(changed, 2)).toEqual([])
    expect(await topics(source, 0, lost)).toEqual(['theirs'])
    const without = seenAs((part) => part.filter((one) => one.id !== 'last'))
    expect(await topics(source, 0, without)).toEqual(['theirs'])
    expect(await differingTopics(source, without, { after: 0, upTo: 2, signal: never })).toEqual([])
    // what the source has forgotten since
    expect(await topics(lost, 0)).toEqual([])
    await source.close()

    const bus = await openBus(from)
    const { id } = await bus.subscribe({ topic: 'theirs', group: 'g', from: 'first', maxDeliver: 1 })
    await bus.close()
    const rest = async (change: (bus: Bus) => Promise<unknown>) => {
      const changed = await openBus(from)
      await change(changed)
      await changed.close()
      const now = await snapshotOf(from)
      const differing = await differingRest(now, await filling.rest(), never)
      await filling.complete(now)
      expect(await differingRest(now, await filling.rest(), never)).toEqual([])
      await now.close()
      return differing
    }
    const pulled = async (of: Bus) => (await of.pull(id, { max: 1, waitMs: 0, signal: never })).map(({ ack }) => ack)
    expect(await rest(async () => {})).toEqual(['subscription g to theirs'])
    expect(await rest(async (one) => one.ack(id, await pulled(one)))).toEqual(['subscription g to theirs'])
    expect(await rest(async (one) => one.nack(id, await pulled(one), { delayMs: 0, reason: 'no' }))).toEqual([
      'subscription g to theirs',
      'dead letters',
    ])
    expect(await rest((one) => one.publish([{ ...message, id: 'later', delayMs: HOUR_MS }]))).toEqual([
      'delayed messages',
    ])
    expect(await rest((one) => one.publish([{ ...message, topic: 'new', id: 'later', delayMs: HOUR_MS }]))).toEqual([
      'topic new',
      'delayed messages',
    ])
    await filling.close()
  })

  it.skipIf(!isHere)('may be begun by another run while it is empty', async () => {
    const at = place()
    await (await fillBus(at, 'run')).close()
    await (await fillBus(at, 'other')).close()
    const snapshot = await snapshotOf(at)
    expect(snapshot.filledBy).toBe('other')
    await snapshot.close()
  })
})

it.skipIf(!isHere('nats-server'))('a bus on NATS that a broker uses meanwhile is filled no further', async () => {
  const [from, at] = [anEmbedded(), onNats()]
  await (await openBus(from)).close()
  const source = await snapshotOf(from)
  const filling = await fillBus(at, 'run')
  const theirs = await openBus(at)
  const { id } = await theirs.subscribe({ topic: 'theirs', group: 'g' })
  await theirs.publish([{ id: 'one', topic: 'theirs', payload: '1', attributes: {} }])
  await expect(fillFrom(source, filling, { signal: never })).rejects.toMatchObject({ kind: 'conflict' })
  expect(await theirs.subscription(id)).toMatchObject({ topic: 'theirs' })
  await theirs.close()
  await filling.close()
  await source.close()
})
