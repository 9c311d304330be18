import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import type { Places } from '../config/places.ts'
import { AppError } from '../errors.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import { RoleCutover } from './role-cutover.ts'
import type { Verdict } from './verdict.ts'

const from: Places = { data: '/data', store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }
const to: Places = { ...from, store: 'postgres://db/shop' }

/** A role that notes what is done with it. */
function stage({ verdict = 'stayed', leaseMs = 60_000 }: { verdict?: Verdict['outcome']; leaseMs?: number } = {}) {
  const done: string[] = []
  const ending = new AbortController()
  onTestFinished(() => ending.abort())
  const faults = {
    hold: undefined as Error | undefined,
    begin: undefined as Error | undefined,
    verdict: undefined as Error | undefined,
  }
  const cutover = new RoleCutover({
    role: {
      places: () => from,
      prepare: async () => {},
      async hold() {
        if (faults.hold) throw faults.hold
        done.push('held')
      },
      async begin({ store }) {
        if (faults.begin) throw faults.begin
        done.push(`began on ${store}`)
      },
      fail: ({ message }) => void done.push(`failed: ${message}`),
    },
    clock: systemClock,
    log: silentLog,
    verdictOn(id) {
      if (faults.verdict) throw faults.verdict
      done.push('asked')
      return verdict === 'stayed' ? { outcome: 'stayed', id } : { outcome: 'moved', id, at: '', from, to }
    },
    signal: ending.signal,
  })
  return { done, faults, cutover, hold: () => cutover.hold({ id: 'one', to, leaseMs }, 20_000) }
}

describe('a role that is held', () => {
  it.each(['old', 'new'] as const)('begins on the %s places, and a second time does nothing', async (on) => {
    const { done, cutover, hold } = stage()
    await hold()
    await cutover.begin('one', on)
    await cutover.begin('one', on)
    expect(done).toEqual(['held', `began on ${on === 'new' ? to.store : from.store}`])
    expect(cutover.state).toEqual({ at: 'serving' })
  })

  it('is held once at a time', async () => {
    const { hold } = stage()
    await hold()
    await expect(hold()).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('goes on when it could not be held', async () => {
    const { cutover, faults, hold } = stage()
    faults.hold = new AppError('UNAVAILABLE', 'too slow')
    await expect(hold()).rejects.toThrow('too slow')
    expect(cutover.state).toEqual({ at: 'serving' })
  })

  it.each([
    ['stayed', from.store],
    ['moved', to.store],
  ] as const)('asks for the verdict when it hears nothing more: %s', async (verdict, store) => {
    const { done, hold } = stage({ verdict, leaseMs: 5 })
    await hold()
    await expect.poll(() => done).toEqual(['held', 'asked', `began on ${store}`])
  })

  it('asks again while it can not be told', async () => {
    const { done, faults, hold } = stage({ leaseMs: 5 })
    faults.verdict = new Error('disk full')
    await hold()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(done).toEqual(['held'])
    faults.verdict = undefined
    await expect.poll(() => done).toEqual(['held', 'asked', `began on ${from.store}`])
  })

  it('says that it is of no use when it can not begin', async () => {
    const { done, faults, cutover, hold } = stage()
    await hold()
    faults.begin = new Error('no such database')
    await expect(cutover.begin('one', 'new')).rejects.toThrow('no such database')
    expect(done).toEqual(['held', 'failed: no such database'])
    expect(cutover.state).toEqual({ at: 'failed' })
  })
})
