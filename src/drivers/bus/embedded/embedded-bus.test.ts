import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../clock.ts'
import type { Bus, BusOptions, Delivery } from '../contract.ts'
import { embeddedDriver } from '../embedded.ts'
import { topicPattern } from '../topic-pattern.ts'
import { openDatabase } from './database.ts'
import { EmbeddedBus } from './embedded-bus.ts'
import { MAX_UNSETTLED } from './subscription-state.ts'

const never = new AbortController().signal

describe('the embedded bus', () => {
  let folder: string
  let bus: Bus
  let wall: number
  let monotonic: number
  let freeBytes: number
  const clock = { now: () => wall, monotonic: () => monotonic }
  const chance = { random: () => 0, freeBytes: () => freeBytes }

  const open = async (options: Partial<BusOptions> = {}) => {
    bus = await embeddedDriver(chance).open({ url: 'embedded:', folder, clock, ...options })
  }
  const reopen = async (options: Partial<BusOptions> = {}) => {
    await bus.close()
    await open(options)
  }
  const advance = (ms: number) => {
    wall += ms
    monotonic += ms
  }
  const publish = (topic: string, ...ids: string[]) =>
    bus.publish(ids.map((id) => ({ id, topic, payload: `"${id}"`, attributes: {} })))
  const numbered = (count: number, first = 1) => Array.from({ length: count }, (_, i) => `m${first + i}`)
  const pull = (id: string, max = 100) => bus.pull(id, { max, waitMs: 0, signal: never })
  const tokens = (deliveries: readonly Delivery[]) => deliveries.map(({ ack }) => ack)
  const query = (sql: string) => {
    const db = new DatabaseSync(join(folder, 'bus.db'))
    const rows = db.prepare(sql).all()
    db.close()
    return rows
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
    wall = 1_700_000_000_000
    monotonic = 0
    freeBytes = 1e9
    await open()
  })
  afterEach(async () => {
    await bus.close()
    await rm(folder, { recursive: true })
  })

  describe('its file', () => {
    it('is the owner’s alone, as is a folder it makes', async () => {
      await publish('a', '1')
      const mode = async (path: string) => (await stat(path)).mode & 0o777
      expect(await mode(join(folder, 'bus.db'))).toBe(0o600)
      expect(await mode(join(folder, 'bus.db-wal'))).toBe(0o600)
      await reopen({ folder: join(folder, 'made', 'here') })
      expect(await mode(join(folder, 'made', 'here'))).toBe(0o700)
    })

    it('belongs to one process at a time', async () => {
      const second = openDatabase(folder, systemClock, 60)
      await expect(second).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('in use') })
      const third = openDatabase(folder, systemClock)
      await bus.close()
      const db = await third
      db.close()
      await open()
    })

    it('is not touched when a newer version wrote it', async () => {
      await bus.close()
      query('PRAGMA user_version = 99')
      await expect(open()).rejects.toMatchObject({ kind: 'invalid' })
      query('PRAGMA user_version = 3')
      await open()
    })

    it('is brought up to date when an older version wrote it, and nothing comes twice or is lost', async () => {
      await bus.close()
      await rm(join(folder, 'bus.db'))
      const db = new DatabaseSync(join(folder, 'bus.db'))
      db.exec(await readFile(new URL('testing/bus-version-1.sql', import.meta.url), 'utf8'))
      db.close()
      await open()
      const [all, one, group] = await bus.subscriptions()
      expect(all).toMatchObject({ topic: '>', pending: 3, expiresAfterMs: 86_400_000 })
      expect(one).toMatchObject({ topic: 'a', pending: 1 })
      expect(group).not.toHaveProperty('expiresAfterMs')
      await publish('b', 'b3')
      expect((await pull(all?.id ?? '')).map((d) => d.id)).toEqual(['b1', 'a2', 'b2', 'b3'])
      expect((await pull(one?.id ?? '')).map((d) => d.id)).toEqual(['a2'])
      await reopen()
      expect((await pull(all?.id ?? '')).map((d) => [d.id, d.delivery])).toEqual([
        ['b1', 2],
        ['a2', 2],
        ['b2', 2],
        ['b3', 2],
      ])
    })

    it('that is no database is reported, and not overwritten', async () => {
      await bus.close()
      const other = join(folder, 'other')
      await open({ folder: other })
      await bus.close()
      await writeFile(join(other, 'bus.db'), 'this is a letter to my aunt, and no database at all'.repeat(100))
      await expect(open({ folder: other })).rejects.toMatchObject({ kind: 'unavailable' })
      expect(await readFile(join(other, 'bus.db'), 'utf8')).toContain('my aunt')
      await open()
    })
  })

  describe('leases', () => {
    it('refuses an ack after the lease even if nobody has the message yet', async () => {
      const { id } = await bus.subscribe({ topic: 'a', ackWaitMs: 1000 })
      await publish('a', '1')
      const got = await pull(id)
      advance(1000)
      expect(await bus.ack(id, tokens(got))).toBe(0)
      expect(await pull(id)).toMatchObject([{ id: '1', delivery: 2 }])
    })

    it('leave a message where it was given back, with its delay, over a restart', async () => {
      const { id } = await bus.subscribe({ topic: 'a' })
      await publish('a', '1', '2')
      const got = await pull(id)
      await bus.nack(id, tokens(got).slice(0, 1), { delayMs: 60_000 })
      advance(20_000)
      await reopen()
      expect(await pull(id)).toMatchObject([{ id: '2', delivery: 2 }])
      advance(39_999)
      expect((await pull(id)).filter((d) => d.id === '1')).toEqual([])
      advance(1)
      expect((await pull(id)).map((d) => [d.id, d.delivery])).toContainEqual(['1', 2])
    })

    it('does not stretch a delay when the wall clock was set back meanwhile', async () => {
      const { id } = await bus.subscribe({ topic: 'a' })
      await publish('a', '1')
      await bus.nack(id, tokens(await pull(id)), { delayMs: 1000 })
      wall -= 86_400_000
      await reopen()
      expect(await pull(id)).toEqual([])
      advance(1000)
      expect(await pull(id)).toMatchObject([{ delivery: 2 }])
    })

    it('bounds what is handed out and not settled, and goes on when there is room', async () => {
      const { id } = await bus.subscribe({ topic: 'a' })
      await publish('a', ...numbered(MAX_UNSETTLED + 10))
      const got = await pull(id, MAX_UNSETTLED + 10)
      expect(got).toHaveLength(MAX_UNSETTLED)
      expect(await pull(id)).toEqual([])
      const waiting = bus.pull(id, { max: 5, waitMs: 10_000, signal: never })
      await bus.ack(id, tokens(got.slice(0, 3)))
      expect((await waiting).map((d) => d.id)).toEqual(numbered(3, MAX_UNSETTLED + 1))
    })

    it('bounds what all subscriptions have out together, and leaves each a few', async () => {
      const made = []
      for (let n = 0; n < 12; n++) made.push((await bus.subscribe({ topic: 'a' })).id)
      await publish('a', ...numbered(MAX_UNSETTLED))
      const counts = []
      for (const id of made) counts.push((await pull(id, MAX_UNSETTLED)).length)
      expect(counts).toEqual([...Array(10).fill(MAX_UNSETTLED), 100, 100])
      for (const id of made.slice(0, 2)) await bus.unsubscribe(id)
      expect(await pull(made[11] ?? '', MAX_UNSETTLED)).toHaveLength(MAX_UNSETTLED - 100)
    })

    it('refuses a delay that is none', async () => {
      const { id } = await bus.subscribe({ topic: 'a' })
      for (const delayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expect(bus.nack(id, [], { delayMs })).rejects.toMatchObject({ kind: 'invalid' })
      }
    })
  })

  describe('retention', () => {
    const infos = async () => (await bus.topics()).map((t) => [t.topic, t.messages, t.firstOffset, t.lastOffset])
    const trimmed = (wanted: unknown) => {
      advance(200)
      return expect
        .poll(async () => {
          advance(200)
          await bus.subscriptions()
          return infos()
        })
        .toEqual(wanted)
    }

    it('keeps the newest messages, and all that a subscription is not done with', async () => {
      await reopen({ keepMessages: 10 })
      const { id } = await bus.subscribe({ topic: 'a' })
      await publish('a', ...numbered(2500))
      const got = await pull(id, 2500)
      await trimmed([['a', 2500, 1, 2500]])
      await bus.ack(id, tokens(got.filter((d) => d.offset !== 100)))
      await trimmed([['a', 2401, 100, 2500]])
      await bus.ack(id, tokens(got.filter((d) => d.offset === 100)))
      await trimmed([['a', 10, 2491, 2500]])
      const fromFirst = await bus.subscribe({ topic: 'a', from: 'first' })
      expect(fromFirst.pending).toBe(10)
      expect((await pull(fromFirst.id)).map((d) => d.id)).toEqual(numbered(10, 2491))
    })

    it('still knows the ids and goes on numbering, after a restart too', async () => {
      await reopen({ keepMessages: 0 })
      await publish('a', ...numbered(20))
      await trimmed([['a', 0, 21, 20]])
      const end = await bus.end()
      await reopen({ keepMessages: 0 })
      expect(await bus.end()).toBe(end)
      expect(await publish('a', 'm5', 'm21')).toMatchObject([
        { offset: 5, duplicate: true },
        { offset: 21, duplicate: false },
      ])
      expect((await bus.read('a', { after: 0, limit: 100 })).map((m) => m.id)).toEqual(['m21'])
    })

    it('trims what an unsubscribed one held back', async () => {
      await reopen({ keepMessages: 5 })
      const { id } = await bus.subscribe({ topic: 'a' })
      await publish('a', ...numbered(20))
      await bus.unsubscribe(id)
      await trimmed([['a', 5, 16, 20]])
    })

    it('spares what a dead letter needs to come back', async () => {
      await reopen({ keepMessages: 0 })
      const { id } = await bus.subscribe({ topic: 'a', maxDeliver: 1 })
      await publish('a', '1', '2')
      await bus.nack(id, tokens(await pull(id)), { reason: 'broken' })
      await trimmed([['a', 0, 3, 2]])
      expect(await bus.redrive({ ids: ['1'] })).toBe(1)
      await reopen({ keepMessages: 0 })
      const again = await pull(id)
      expect(again).toMatchObject([{ id: '1', payload: '"1"', delivery: 1, offset: 1 }])
      expect(await bus.ack(id, tokens(again))).toBe(1)
      expect(await bus.deadLetters({ limit: 10 })).toMatchObject([{ id: '2', payload: '"2"', reason: 'broken' }])
      expect(await bus.deadLetters({ id: '1', limit: 10 })).toEqual([])
      expect(await bus.deadLetters({ id: '2', limit: 10 })).toHaveLength(1)
    })
  })

  describe('retention far behind the newest message', () => {
    it('leaves a redriven message alone until it is settled', async () => {
      const { id } = await bus.subscribe({ topic: 'a', maxDeliver: 1 })
      await publish('a', '1', '2')
      const [first, second] = await pull(id)
      await bus.nack(id, [first?.ack ?? ''])
      await bus.ack(id, [second?.ack ?? ''])
      await bus.close()
      // As if 200 000 messages had come between the two.
      query("UPDATE messages SET offset = 200001, position = 200001 WHERE id = '2' RETURNING 1")
      query('UPDATE cursors SET next_offset = 200002 RETURNING 1')
      query('UPDATE topics SET first_offset = 200001 RETURNING 1')
      await open({ keepMessages: 0 })
      expect(await bus.redrive({})).toBe(1)
      const rows = async () => {
        advance(200)
        await bus.subscriptions()
        return (await bus.topics()).map((info) => info.messages)
      }
      await publish('a', '3')
      expect(await rows()).toEqual([2])
      // Comes after the step of trimming that is now due.
      await bus.deadLetters({ limit: 1 })
      const again = await pull(id)
      expect(again.map((d) => [d.id, d.offset, d.payload])).toEqual([
        ['1', 1, '"1"'],
        ['3', 200_002, '"3"'],
      ])
      await bus.ack(id, tokens(again))
      await expect.poll(rows).toEqual([0])
    })
  })

  describe('what is kept by name', () => {
    it('is no more topics than there may be, of many messages too: none of them is stored', async () => {
      await reopen({ maxTopics: 1_000 })
      const many = numbered(1_001).map((id) => ({ id, topic: `t.${id}`, payload: '1', attributes: {} }))
      await expect(bus.publish(many)).rejects.toMatchObject({ kind: 'too-many' })
      expect(await bus.topics()).toEqual([])
    })

    it('is no more topics than there may be, besides reserved ones; those there are go on', async () => {
      const reservedTopics = ['order.created']
      await reopen({ maxTopics: 2, reservedTopics })
      await publish('a', '1')
      const both = ['b', 'c'].map((topic) => ({ id: topic, topic, payload: '1', attributes: {} }))
      await expect(bus.publish(both)).rejects.toMatchObject({ kind: 'too-many' })
      await publish('b', '1')
      await expect(publish('c', '1')).rejects.toMatchObject({ kind: 'too-many' })
      await Promise.all([publish('a', '2'), publish('b', '2'), publish('order.created', '1')])
      await expect(publish('c', '1')).rejects.toMatchObject({ kind: 'too-many' })
      await reopen({ maxTopics: 1, reservedTopics })
      expect((await bus.topics()).map(({ topic, messages }) => [topic, messages])).toEqual([
        ['a', 2],
        ['b', 2],
        ['order.created', 1],
      ])
      await publish('a', '3')
    })

    it('is no more subscriptions than there may be, besides reserved ones', async () => {
      await reopen({ maxSubscriptions: 1 })
      const one = await bus.subscribe({ topic: 'a', group: 'g' })
      await expect(bus.subscribe({ topic: 'a' })).rejects.toMatchObject({ kind: 'too-many' })
      expect((await bus.subscribe({ topic: 'a', group: 'g' })).id).toBe(one.id)
      const reserved = await bus.subscribe({ topic: 'a', group: 'r', reserved: true })
      await bus.unsubscribe(reserved.id)
      await bus.unsubscribe(one.id)
      await bus.subscribe({ topic: 'a' })
    })

    it('is no more subscriptions of one owner than his share, besides reserved ones, and nobody else lacks a place for it', async () => {
      await reopen({ maxSubscriptions: 4, maxSubscriptionsPerOwner: 2 })
      const made = []
      for (const group of ['g', 'h']) made.push(await bus.subscribe({ topic: 'a', group, owner: 'shop' }))
      await expect(bus.subscribe({ topic: 'a', owner: 'shop' })).rejects.toMatchObject({ kind: 'too-many' })
      await bus.subscribe({ topic: 'a', group: 'h', owner: 'shop' })
      await bus.subscribe({ topic: 'a', group: 'r', owner: 'shop', reserved: true })
      await bus.subscribe({ topic: 'a', owner: 'other' })
      for (const { id } of made) await bus.unsubscribe(id)
      await bus.subscribe({ topic: 'a', owner: 'shop' })
      await expect(bus.subscribe({ topic: 'a', owner: 'shop' })).rejects.toMatchObject({ kind: 'too-many' })
      await bus.subscribe({ topic: 'a' })
    })

    it('is no more topics of one owner than his share, reopened too, besides reserved ones and those of nobody', async () => {
      const limits = { maxTopicsPerOwner: 2, reservedTopics: ['r'] }
      const make = (owner?: string, ...topics: string[]) =>
        bus.publish(
          topics.map((topic) => ({ id: topic, topic, payload: '1', attributes: {} })),
          owner,
        )
      await reopen(limits)
      await make(undefined, 'x', 'y', 'z')
      await make('shop', 'a', 'r', 'x')
      await reopen(limits)
      await expect(make('shop', 'b', 'c')).rejects.toMatchObject({ kind: 'too-many' })
      await make('shop', 'b', 'y')
      await expect(make('shop', 'c')).rejects.toMatchObject({ kind: 'too-many' })
      await make('other', 'c')
    })

    it('costs a pattern nothing by topic: neither to subscribe, nor to pull, nor to publish past it', async () => {
      const names = Array.from({ length: 10_000 }, (_, i) => `t.${i}`)
      const fill = (topics: string[], id: string) =>
        bus.publish(topics.map((topic) => ({ id, topic, payload: '1', attributes: {} })))
      await fill(names, '1')
      const made = []
      const start = performance.now()
      for (let n = 0; n < 50; n++) made.push((await bus.subscribe({ topic: n % 2 ? 't.*' : '>' })).id)
      // 50 turns of the loop: 35 ms each when a subscription kept a place in every topic
      expect((performance.now() - start) / 50).toBeLessThan(15)
      await fill(names.slice(0, 100), '2')
      for (const id of made.slice(0, 2)) {
        const got = await pull(id, 100)
        expect(got).toHaveLength(100)
        expect(got.every((delivery) => delivery.id === '2')).toBe(true)
        expect(await bus.subscription(id)).toMatchObject({ pending: 100, leased: 100 })
      }
    })

    it('lets a pattern’s reader find what lies far behind much that is not its own', async () => {
      const { id } = await bus.subscribe({ topic: 'rare.*' })
      const waiting = bus.pull(id, { max: 5, waitMs: 20_000, signal: never })
      for (let first = 1; first <= 5_000; first += 1_000) await publish('busy', ...numbered(1_000, first))
      await publish('rare.a', '1')
      expect((await waiting).map((d) => d.id)).toEqual(['1'])
      for (let first = 6_000; first <= 10_000; first += 1_000) await publish('busy', ...numbered(1_000, first))
      await publish('rare.b', '2')
      expect((await pull(id)).map((d) => d.id)).toEqual(['2'])
      const [first] = await bus.read('rare.*', { after: 0, limit: 10 })
      expect(first?.id).toBe('1')
      expect(await bus.read('rare.*', { after: first?.position ?? 0, limit: 10 })).toMatchObject([{ id: '2' }])
      expect(await pull(id)).toEqual([])
    })

    it('is listed page by page', async () => {
      const pages = async () => [
        (await bus.topics({ limit: 2 })).map(({ topic }) => topic),
        (await bus.topics({ limit: 2, after: 'b' })).map(({ topic }) => topic),
        (await bus.topics({ limit: 2, after: 'gone' })).map(({ topic }) => topic),
      ]
      for (const topic of ['a', 'b', 'c']) await publish(topic, '1')
      expect(await pages()).toEqual([['a', 'b'], ['c'], []])
      const [one, two] = [await bus.subscribe({ topic: 'a' }), await bus.subscribe({ topic: 'b' })]
      expect((await bus.subscriptions({ limit: 1 })).map(({ id }) => id)).toEqual([one.id])
      expect((await bus.subscriptions({ limit: 5, after: one.id })).map(({ id }) => id)).toEqual([two.id])
    })
  })

  describe('an idle subscription', () => {
    const left = async () => {
      await bus.subscriptions()
      // comes after what the first look found to be due
      await bus.countDeadLetters(1)
      return (await bus.subscriptions()).map(({ id }) => id)
    }

    it('ends with all that it held, so that retention goes on', async () => {
      await reopen({ keepMessages: 5 })
      const { id } = await bus.subscribe({ topic: 'a', expiresAfterMs: 10_000, maxDeliver: 1 })
      await publish('a', ...numbered(20))
      const [first] = await pull(id, 1)
      await bus.nack(id, [first?.ack ?? ''])
      expect(await bus.countDeadLetters(9)).toBe(1)
      const waiting = bus.pull(id, { max: 1, waitMs: 0, signal: never })
      await waiting
      advance(9_999)
      expect(await left()).toEqual([id])
      advance(1)
      expect(await left()).toEqual([])
      expect(await bus.countDeadLetters(9)).toBe(0)
      await expect
        .poll(async () => {
          advance(200)
          await bus.subscriptions()
          return (await bus.topics())[0]?.messages
        })
        .toBe(5)
    })

    it('does not lose the time it was in use to a restart, but the time of the restart itself', async () => {
      const day = 86_400_000
      const { id } = await bus.subscribe({ topic: 'a', expiresAfterMs: day })
      const hours = async (count: number) => {
        for (let n = 0; n < count; n++) {
          advance(day / 24)
          await left()
        }
      }
      for (let n = 0; n < 4; n++) {
        await hours(20)
        await pull(id)
        await hours(1)
        await reopen()
      }
      expect(await left()).toEqual([id])
      await bus.close()
      wall += 3 * day
      await open()
      expect(await left()).toEqual([id])
      advance(59_999)
      await pull(id)
      advance(day - 1)
      expect(await left()).toEqual([id])
      advance(1)
      expect(await left()).toEqual([])
    })

    it('is not ended by a broker that restarts more often than it would end', async () => {
      const { id } = await bus.subscribe({ topic: 'a', expiresAfterMs: 86_400_000 })
      for (let n = 0; n < 40 && (await left()).length > 0; n++) {
        advance(3_600_000)
        await left()
        await reopen()
      }
      expect(await bus.subscription(id)).toBeUndefined()
    })
  })

  describe('a full disk', () => {
    const big = 'x'.repeat(200_000)
    let db: DatabaseSync
    /** Lets the file grow by no more than so many pages. */
    const allowPages = (more: number) => {
      const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count)
      db.exec(`PRAGMA max_page_count = ${pages + more}`)
    }

    beforeEach(async () => {
      await bus.close()
      db = await openDatabase(folder, clock)
      bus = new EmbeddedBus(db, { url: 'embedded:', folder, clock }, chance)
    })

    it('refuses publications under the floor, lets consumers go on, and heals by itself', async () => {
      const { id } = await bus.subscribe({ topic: 'a' })
      await publish('a', '1')
      freeBytes = 49_999_999
      advance(1000)
      await expect(publish('a', '2')).rejects.toMatchObject({ kind: 'full' })
      expect(await bus.ack(id, tokens(await pull(id)))).toBe(1)
      freeBytes = 50_000_000
      advance(1000)
      expect(await publish('a', '2')).toMatchObject([{ offset: 2, duplicate: false }])
    })

    it('never lets memory run ahead of the disk when a commit fails', async () => {
      const { id } = await bus.subscribe({ topic: '>', maxDeliver: 1 })
      await publish('a', '1', '2')
      const [first] = await pull(id, 1)
      allowPages(0)

      const failing = ['3', '4'].map((n) => bus.publish([{ id: n, topic: `new${n}`, payload: big, attributes: {} }]))
      for (const call of [...failing, bus.ack(id, [first?.ack ?? '']), pull(id)]) {
        await expect(call).rejects.toMatchObject({ kind: 'full' })
      }
      expect((await bus.topics()).map((t) => [t.topic, t.lastOffset])).toEqual([['a', 2]])
      expect(await bus.subscription(id)).toMatchObject({ pending: 2, leased: 1 })
      expect(await bus.read('>', { after: 0, limit: 10 })).toHaveLength(2)

      allowPages(1000)
      expect(await bus.publish([{ id: '3', topic: 'new3', payload: big, attributes: {} }])).toMatchObject([
        { offset: 1, duplicate: false },
      ])
      expect(await bus.ack(id, [first?.ack ?? ''])).toBe(1)
      expect((await pull(id)).map((d) => d.id)).toEqual(['2', '3'])
    })

    it('forgets what it had read of messages that were not stored in the end', async () => {
      const { id } = await bus.subscribe({ topic: '>' })
      await publish('a', '1')
      await publish('b', '2')
      await bus.ack(id, tokens(await pull(id, 1)))
      allowPages(0)
      const lost = publish('a', '3', '4')
      const pulled = pull(id, 1)
      const failing = bus.publish([{ id: '5', topic: 'a', payload: big, attributes: {} }])
      for (const call of [lost, pulled, failing]) await expect(call).rejects.toMatchObject({ kind: 'full' })
      allowPages(1000)
      await publish('b', '6')
      await publish('a', '7', '8')
      expect((await pull(id)).map((d) => [d.id, d.topic, d.offset])).toEqual([
        ['2', 'b', 1],
        ['6', 'b', 2],
        ['7', 'a', 2],
        ['8', 'a', 3],
      ])
    })
  })

  it('reads the same whatever the pages, the pattern and the topics', async () => {
    const names = ['t.a', 't.b', 't.c', 'u.a']
    const spread = fc.array(fc.nat(3), { minLength: 1, maxLength: 80 })
    const query = fc.record({
      pattern: fc.constantFrom('>', 't.*', 't.b', 'u.>'),
      limit: fc.integer({ min: 1, max: 30 }),
      from: fc.integer({ min: 1, max: 12 }),
    })
    let stored = 0
    await fc.assert(
      fc.asyncProperty(spread, query, async (topics, { pattern, limit, from }) => {
        const start = await bus.end()
        const offsets = new Map((await bus.topics()).map((info) => [info.topic, info.lastOffset]))
        const base = Math.max(0, ...offsets.values())
        const wanted: string[] = []
        const messages = topics.map((index) => {
          const topic = names[index] ?? ''
          const offset = (offsets.get(topic) ?? 0) + 1
          offsets.set(topic, offset)
          const id = `m${stored++}`
          if (topicPattern(pattern).matches(topic) && offset >= base + from) wanted.push(id)
          return { id, topic, payload: '{}', attributes: {} }
        })
        await bus.publish(messages)
        const found: string[] = []
        for (let after = start; ; ) {
          const page = await bus.read(pattern, { after, from: base + from, limit })
          const last = page.at(-1)
          if (last === undefined) break
          expect(page.length).toBeLessThanOrEqual(limit)
          found.push(...page.map(({ id }) => id))
          after = last.position
        }
        expect(found).toEqual(wanted)
      }),
      { numRuns: 40 },
    )
  })

  it('stores what others publish between the parts of many messages', async () => {
    const many = publish('a', ...numbered(2_000))
    await publish('a', 'another')
    const [another] = await publish('a', 'one more')
    expect(another?.offset).toBeLessThan(2_000)
    const receipts = await many
    expect(receipts.map(({ id }) => id)).toEqual(numbered(2_000))
    expect(new Set(receipts.map(({ offset }) => offset)).size).toBe(2_000)
    expect((await bus.topics())[0]).toMatchObject({ messages: 2_002 })
  })

  it('finds duplicates among the last 100 000 messages and not before', async () => {
    for (let first = 1; first <= 100_001; first += 10_000) await publish('a', ...numbered(10_000, first))
    await reopen()
    expect(await publish('a', 'm10000', 'm10002')).toMatchObject([
      { offset: 110_001, duplicate: false },
      { offset: 10_002, duplicate: true },
    ])
  })
})
