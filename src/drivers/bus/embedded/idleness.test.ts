import { describe, expect, it } from 'vitest'
import { never, useEmbeddedBus } from './testing/embedded-bus-fixture.ts'

const use = useEmbeddedBus()
const { open, reopen, advance, publish, numbered, pull } = use

describe('an idle subscription', () => {
  const left = async () => {
    await use.bus.subscriptions()
    // comes after what the first look found to be due
    await use.bus.countDeadLetters(1)
    return (await use.bus.subscriptions()).map(({ id }) => id)
  }

  it('ends with all that it held, so that retention goes on', async () => {
    await reopen({ keepMessages: 5 })
    const { id } = await use.bus.subscribe({ topic: 'a', expiresAfterMs: 10_000, maxDeliver: 1 })
    await publish('a', ...numbered(20))
    const [first] = await pull(id, 1)
    await use.bus.nack(id, [first?.ack ?? ''])
    expect(await use.bus.countDeadLetters(9)).toBe(1)
    const waiting = use.bus.pull(id, { max: 1, waitMs: 0, signal: never })
    await waiting
    advance(9_999)
    expect(await left()).toEqual([id])
    advance(1)
    expect(await left()).toEqual([])
    expect(await use.bus.countDeadLetters(9)).toBe(0)
    await expect
      .poll(async () => {
        advance(200)
        await use.bus.subscriptions()
        return (await use.bus.topics())[0]?.messages
      })
      .toBe(5)
  })

  it('does not lose the time it was in use to a restart, but the time of the restart itself', async () => {
    const day = 86_400_000
    const { id } = await use.bus.subscribe({ topic: 'a', expiresAfterMs: day })
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
    await use.bus.close()
    use.wall += 3 * day
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
    const { id } = await use.bus.subscribe({ topic: 'a', expiresAfterMs: 86_400_000 })
    for (let n = 0; n < 40 && (await left()).length > 0; n++) {
      advance(3_600_000)
      await left()
      await reopen()
    }
    expect(await use.bus.subscription(id)).toBeUndefined()
  })
})
