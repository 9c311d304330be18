import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import { createShipper, type ShipperOptions } from './shipper.ts'

/** A target that can be away, slow, or refuse some items. */
function target() {
  const state = { away: false, refuses: new Set<number>(), batches: [] as number[][], attempts: 0, open: 0, widest: 0 }
  const answers: (() => void)[] = []
  return {
    state,
    /** Lets the oldest delivery held by `hold` finish. */
    answer: () => answers.shift()?.(),
    hold: false,
    async send(batch: readonly number[]): Promise<void> {
      state.attempts++
      state.widest = Math.max(state.widest, ++state.open)
      try {
        if (this.hold) await new Promise<void>((resolve) => answers.push(resolve))
        if (state.away) throw new Error('connection refused')
        if (batch.some((item) => state.refuses.has(item))) throw new AppError('INVALID_REQUEST', 'Invalid entry')
        state.batches.push([...batch])
      } finally {
        state.open--
      }
    },
  }
}

function shipperTo(to: ReturnType<typeof target>, options: Partial<ShipperOptions<number>> = {}) {
  return createShipper<number>({ send: (batch) => to.send(batch), clock: systemClock, random: () => 1, ...options })
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const turn = () => vi.advanceTimersByTimeAsync(0)

/** Lets fake time pass until `promise` is settled. */
async function timely<T>(promise: Promise<T>): Promise<T> {
  let settled = false
  const done = promise.finally(() => {
    settled = true
  })
  while (!settled) await vi.advanceTimersByTimeAsync(1)
  return done
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('createShipper', () => {
  it('sends what a second brought', async () => {
    const to = target()
    const shipper = shipperTo(to)
    shipper.add(1)
    await vi.advanceTimersByTimeAsync(600)
    shipper.add(2)
    await vi.advanceTimersByTimeAsync(399)
    expect(to.state.batches).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(to.state.batches).toEqual([[1, 2]])
  })

  it('leaves a target alone for as long as it asks, five minutes at most', async () => {
    const to = target()
    let asked = 3_000
    const shipper = shipperTo(to, { restMs: () => asked })
    to.state.away = true
    shipper.add(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(to.state.attempts).toBe(1)
    await vi.advanceTimersByTimeAsync(2_999)
    expect(to.state.attempts).toBe(1)
    asked = 86_400_000
    await vi.advanceTimersByTimeAsync(1)
    expect(to.state.attempts).toBe(2)
    to.state.away = false
    await vi.advanceTimersByTimeAsync(299_999)
    expect(to.state.batches).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(to.state.batches).toEqual([[1]])
  })

  it('sends a hundred at once', async () => {
    const to = target()
    const shipper = shipperTo(to)
    for (const item of range(0, 100)) shipper.add(item)
    await turn()
    expect(to.state.batches).toEqual([range(0, 100)])
  })

  it('sends bigger batches when it has fallen behind, one at a time and in order', async () => {
    const to = target()
    to.hold = true
    const shipper = shipperTo(to)
    for (const item of range(0, 100)) shipper.add(item)
    await turn()
    for (const item of range(100, 1_600)) shipper.add(item)
    await turn()
    expect(to.state.attempts).toBe(1)
    to.hold = false
    to.answer()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(to.state.batches.map((batch) => batch.length)).toEqual([100, 1_000, 500])
    expect(to.state.batches.flat()).toEqual(range(0, 1_600))
    expect(to.state.widest).toBe(1)
  })

  it('keeps a batch within its bytes', async () => {
    const to = target()
    const shipper = shipperTo(to, { maxBatchBytes: 10 * 24 })
    for (const item of range(0, 100)) shipper.add(item)
    await timely(shipper.flush())
    expect(to.state.batches.map((batch) => batch.length)).toEqual(Array(10).fill(10))
  })

  it('backs off while the target is away, and loses nothing within the bounds', async () => {
    const to = target()
    to.state.away = true
    const shipper = shipperTo(to)
    for (const item of range(0, 150)) shipper.add(item)
    await vi.advanceTimersByTimeAsync(60_000)
    // 0, 100, 300, 700, 1 500 and then every 1.5 s
    expect(to.state.attempts).toBe(44)
    to.state.away = false
    await vi.advanceTimersByTimeAsync(2_000)
    expect(to.state.batches.flat()).toEqual(range(0, 150))
    expect(shipper.dropped).toBe(0)
  })

  it('drops the oldest beyond its bounds, and says how many', async () => {
    const to = target()
    to.state.away = true
    const onDrop = vi.fn()
    const shipper = shipperTo(to, { maxQueued: 100, onDrop })
    for (const item of range(0, 1_000)) shipper.add(item)
    await turn()
    expect(onDrop.mock.calls).toEqual([[900]])
    to.state.away = false
    await vi.advanceTimersByTimeAsync(100)
    expect(to.state.batches.flat()).toEqual(range(900, 1_000))
    expect(shipper.dropped).toBe(900)
  })

  it('bounds the memory of what waits', async () => {
    const to = target()
    to.state.away = true
    const send = async () => to.send([])
    const shipper = createShipper<string>({ send, clock: systemClock, maxBytes: 10_000 })
    for (let i = 0; i < 50; i++) shipper.add('x'.repeat(1_000 - 24))
    expect(shipper.dropped).toBe(40)
    shipper.add('x'.repeat(20_000))
    expect(shipper.dropped).toBe(51)
    await turn()
  })

  it('isolates an item the target refuses', async () => {
    const to = target()
    to.state.refuses.add(77)
    const shipper = shipperTo(to)
    for (const item of range(0, 100)) shipper.add(item)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(to.state.batches.flat()).toEqual(range(0, 100).filter((item) => item !== 77))
    expect(shipper.dropped).toBe(1)
  })

  it('backs off from a target that refuses everything', async () => {
    const to = target()
    for (const item of range(0, 100)) to.state.refuses.add(item)
    const shipper = shipperTo(to)
    for (const item of range(0, 100)) shipper.add(item)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(to.state.attempts).toBeLessThan(20)
    // one in each of its attempts
    expect(shipper.dropped).toBeLessThan(12)
  })

  it('survives a send that throws at once, and one that outlasts its time', async () => {
    const to = target()
    const failures: unknown[] = []
    let tries = 0
    const shipper = shipperTo(to, {
      send(batch, signal) {
        tries++
        if (tries === 1) throw new Error('thrown, not rejected')
        if (tries > 2) return to.send(batch)
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            failures.push(signal.reason)
            reject(signal.reason)
          })
        })
      },
    })
    shipper.add(1)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(failures).toEqual([expect.objectContaining({ code: 'UPSTREAM_TIMEOUT' })])
    expect(to.state.batches).toEqual([[1]])
  })

  describe('flush', () => {
    it('resolves when what was there is delivered', async () => {
      const to = target()
      const shipper = shipperTo(to)
      for (const item of range(0, 150)) shipper.add(item)
      await timely(shipper.flush())
      expect(to.state.batches.flat()).toEqual(range(0, 150))
      await shipper.flush()
    })

    it('resolves when the target is away, and keeps the items', async () => {
      const to = target()
      to.state.away = true
      const shipper = shipperTo(to)
      shipper.add(1)
      await timely(shipper.flush())
      to.state.away = false
      await timely(shipper.flush())
      expect(to.state.batches).toEqual([[1]])
    })
  })

  describe('close', () => {
    it('delivers what waits', async () => {
      const to = target()
      const shipper = shipperTo(to)
      for (const item of range(0, 2_500)) shipper.add(item)
      await timely(Promise.all([shipper.close(), shipper.close()]))
      expect(to.state.batches.flat()).toEqual(range(0, 2_500))
      expect(vi.getTimerCount()).toBe(0)
      shipper.add(1)
      expect(shipper.dropped).toBe(1)
      await shipper.flush()
    })

    it('ends at once with nothing to send', async () => {
      await shipperTo(target()).close()
    })

    it('gives up soon on a target that is away, counting what is lost', async () => {
      const to = target()
      to.state.away = true
      const onDrop = vi.fn()
      const shipper = shipperTo(to, { onDrop })
      for (const item of range(0, 10)) shipper.add(item)
      await timely(shipper.close())
      expect(to.state.attempts).toBe(2)
      expect(onDrop.mock.calls).toEqual([[10]])
      expect(vi.getTimerCount()).toBe(0)
    })

    it('takes two seconds at most, even from a send that never ends', async () => {
      const shipper = shipperTo(target(), { send: () => new Promise(() => {}) })
      shipper.add(1)
      await vi.advanceTimersByTimeAsync(1_000)
      const askedAt = performance.now()
      await timely(shipper.close())
      expect(performance.now() - askedAt).toBeLessThanOrEqual(2_001)
      expect(shipper.dropped).toBe(1)
      expect(vi.getTimerCount()).toBe(0)
    })
  })

  it('delivers each item once or counts it, in order, whatever happens', async () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant('add' as const), count: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ does: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
      fc.record({ does: fc.constant('turn' as const), away: fc.boolean() }),
    )
    const property = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const to = target()
      const shipper = shipperTo(to, { maxQueued: 400 })
      let added = 0
      for (const next of steps) {
        if (next.does === 'add') for (let i = 0; i < next.count; i++) shipper.add(added++)
        else if (next.does === 'wait') await vi.advanceTimersByTimeAsync(next.ms)
        else to.state.away = next.away
      }
      await timely(shipper.close())
      const delivered = to.state.batches.flat()
      expect(delivered).toEqual([...new Set(delivered)].sort((a, b) => a - b))
      expect(delivered.length + shipper.dropped).toBe(added)
      expect(to.state.widest).toBeLessThanOrEqual(1)
      expect(vi.getTimerCount()).toBe(0)
    })
    await fc.assert(property, { numRuns: 50 })
  })
})
