import { describe, expect, it } from 'vitest'
import { MAX_UNSETTLED } from './subscription-state.ts'
import { never, useEmbeddedBus } from './testing/embedded-bus-fixture.ts'

const use = useEmbeddedBus()
const { reopen, advance, publish, numbered, pull, tokens } = use

describe('leases', () => {
  it('refuses an ack after the lease even if nobody has the message yet', async () => {
    const { id } = await use.bus.subscribe({ topic: 'a', ackWaitMs: 1000 })
    await publish('a', '1')
    const got = await pull(id)
    advance(1000)
    expect(await use.bus.ack(id, tokens(got))).toBe(0)
    expect(await pull(id)).toMatchObject([{ id: '1', delivery: 2 }])
  })

  it('leave a message where it was given back, with its delay, over a restart', async () => {
    const { id } = await use.bus.subscribe({ topic: 'a' })
    await publish('a', '1', '2')
    const got = await pull(id)
    await use.bus.nack(id, tokens(got).slice(0, 1), { delayMs: 60_000 })
    advance(20_000)
    await reopen()
    expect(await pull(id)).toMatchObject([{ id: '2', delivery: 2 }])
    advance(39_999)
    expect((await pull(id)).filter((d) => d.id === '1')).toEqual([])
    advance(1)
    expect((await pull(id)).map((d) => [d.id, d.delivery])).toContainEqual(['1', 2])
  })

  it('does not stretch a delay when the use.wall clock was set back meanwhile', async () => {
    const { id } = await use.bus.subscribe({ topic: 'a' })
    await publish('a', '1')
    await use.bus.nack(id, tokens(await pull(id)), { delayMs: 1000 })
    use.wall -= 86_400_000
    await reopen()
    expect(await pull(id)).toEqual([])
    advance(1000)
    expect(await pull(id)).toMatchObject([{ delivery: 2 }])
  })

  it('bounds what is handed out and not settled, and goes on when there is room', async () => {
    const { id } = await use.bus.subscribe({ topic: 'a' })
    await publish('a', ...numbered(MAX_UNSETTLED + 10))
    const got = await pull(id, MAX_UNSETTLED + 10)
    expect(got).toHaveLength(MAX_UNSETTLED)
    expect(await pull(id)).toEqual([])
    const waiting = use.bus.pull(id, { max: 5, waitMs: 10_000, signal: never })
    await use.bus.ack(id, tokens(got.slice(0, 3)))
    expect((await waiting).map((d) => d.id)).toEqual(numbered(3, MAX_UNSETTLED + 1))
  })

  it('bounds what all subscriptions have out together, and leaves each a few', async () => {
    const made = []
    for (let n = 0; n < 12; n++) made.push((await use.bus.subscribe({ topic: 'a' })).id)
    await publish('a', ...numbered(MAX_UNSETTLED))
    const counts = []
    for (const id of made) counts.push((await pull(id, MAX_UNSETTLED)).length)
    expect(counts).toEqual([...Array(10).fill(MAX_UNSETTLED), 100, 100])
    for (const id of made.slice(0, 2)) await use.bus.unsubscribe(id)
    expect(await pull(made[11] ?? '', MAX_UNSETTLED)).toHaveLength(MAX_UNSETTLED - 100)
  })

  it('outlive a consumer that is put off for hours, over restarts, and count nothing', async () => {
    const { id } = await use.bus.subscribe({ topic: 'a', maxDeliver: 2, giveUpAfterMs: 3_600_000 })
    await publish('a', '1')
    const start = use.wall
    let times = 0
    for (; (await use.bus.countDeadLetters(1)) === 0; times++) {
      await use.bus.nack(id, tokens(await pull(id)), { later: true, reason: 'the store is full' })
      if (times % 50 === 0) await reopen()
      advance(30_000)
    }
    expect(use.wall - start).toBeGreaterThanOrEqual(3_600_000)
    expect(times).toBeGreaterThan(100)
    expect(await use.bus.deadLetters({ limit: 1 })).toMatchObject([{ id: '1', reason: 'the store is full' }])
  })

  it('refuses a delay that is none', async () => {
    const { id } = await use.bus.subscribe({ topic: 'a' })
    for (const delayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(use.bus.nack(id, [], { delayMs })).rejects.toMatchObject({ kind: 'invalid' })
    }
  })
})
