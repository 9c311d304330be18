import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { ABSENT } from '../roster.ts'
import { startWatchdog, type Watched } from './watchdog.ts'

afterEach(() => vi.useRealTimers())

/** Notes when it was called. */
class Noted implements Watched {
  place = ABSENT
  called = 0
  dueAt: number
  readonly #then: (noted: Noted) => void

  constructor(dueAt: number, then: (noted: Noted) => void = () => {}) {
    this.dueAt = dueAt
    this.#then = then
  }

  onDue(): void {
    this.called++
    this.#then(this)
  }
}

function started() {
  vi.useFakeTimers()
  let now = 0
  const watchdog = startWatchdog({ clock: { now: () => now, monotonic: () => now }, beatMs: 50 })
  const look = (at: number) => {
    now = at
    vi.advanceTimersByTime(50)
  }
  return { watchdog, look }
}

it('calls who is due at each look, until he is unwatched', () => {
  const { watchdog, look } = started()
  const [due, later] = [new Noted(10), new Noted(1_000)]
  watchdog.watch(due)
  watchdog.watch(later)
  look(20)
  look(70)
  watchdog.unwatch(due)
  look(120)
  expect([due.called, later.called, watchdog.size]).toEqual([2, 0, 1])
  watchdog.stop()
})

it('looks after exactly those who are watched, in whatever order they come and go', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
      const { watchdog, look } = started()
      const all = Array.from({ length: 10 }, () => new Noted(0))
      const watched = new Set<Noted>()
      for (const [joins, index] of steps) {
        const noted = all[index]
        if (!noted) continue
        if (joins) watchdog.watch(noted)
        else watchdog.unwatch(noted)
        if (joins) watched.add(noted)
        else watched.delete(noted)
      }
      look(50)
      watchdog.stop()
      expect(all.map(({ called }) => called)).toEqual(all.map((noted) => (watched.has(noted) ? 1 : 0)))
      expect(watchdog.size).toBe(watched.size)
    }),
  )
})

it('calls everybody who is due though each leaves, or has others leave, while he is called', () => {
  const { watchdog, look } = started()
  const all = Array.from({ length: 20 }, () => new Noted(0, (noted) => watchdog.unwatch(noted)))
  for (const noted of all) watchdog.watch(noted)
  look(50)
  expect(all.every(({ called }) => called === 1)).toBe(true)
  expect(watchdog.size).toBe(0)
  watchdog.stop()
})
