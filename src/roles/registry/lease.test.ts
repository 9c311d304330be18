import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judge, LEASE_LIMITS, type Lease, mayVanish } from './lease.ts'

const LIMITS = LEASE_LIMITS
const running: Lease = { at: 'held', heartbeat: 0, until: 100_000 }
const silent: Lease = { at: 'held', heartbeat: 0, until: 30_000 }

function judged(leases: readonly Lease[], now = 30_000) {
  const changes = judge([new Map(leases.map((lease, at) => [String(at), lease]))], now, LIMITS)
  return leases.map((lease, at) => (changes.get(String(at)) ?? lease).at)
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value)
}

describe('judge', () => {
  it('expires the one that fell silent, to the millisecond', () => {
    expect(judged([silent], 29_999)).toEqual(['held'])
    expect(judged([silent], 30_000)).toEqual(['expired'])
  })

  it.each([
    ['all of three', 0, 3, 'expired'],
    ['one of six', 5, 1, 'expired'],
    ['two of six', 4, 2, 'preserved'],
    ['three of twenty', 17, 3, 'expired'],
    ['four of twenty', 16, 4, 'preserved'],
    ['all of a hundred', 0, 100, 'preserved'],
  ])('finds %s silent at once', (_, up, down, verdict) => {
    expect(judged([...times(up, running), ...times(down, silent)])).toEqual([
      ...times(up, 'held'),
      ...times(down, verdict),
    ])
  })

  it.each([
    ['one of six services', 5, 1, 'expired'],
    ['two of six services', 4, 2, 'preserved'],
    ['all of four services', 0, 4, 'expired'],
    ['all of six services', 0, 6, 'preserved'],
  ])('finds %s silent at once, each of one instance', (_, up, down, verdict) => {
    const services = [...times(up, running), ...times(down, silent)].map((lease, at) => new Map([[String(at), lease]]))
    expect([...judge(services, 30_000, LIMITS).values()].map(({ at }) => at)).toEqual(times(down, verdict))
  })

  it('keeps none of a service for the many of another', () => {
    const many = new Map(times(100, silent).map((lease, at) => [`many-${at}`, lease]))
    const few = new Map([...times(5, running), silent].map((lease, at) => [`few-${at}`, lease]))
    const changes = judge([many, few], 30_000, LIMITS)
    expect([changes.get('few-5')?.at, changes.get('many-0')?.at]).toEqual(['expired', 'preserved'])
  })

  it('counts those that expired within the last lease as vanished too', () => {
    const expired: Lease = { at: 'expired', heartbeat: 0, since: 10_000 }
    expect(judged([...times(5, running), silent, expired])).toEqual([...times(5, 'held'), 'preserved', 'expired'])
    expect(judged([...times(5, running), silent, expired], 40_000)).toEqual([...times(5, 'held'), 'expired', 'expired'])
  })

  it('expires what it preserved once enough are back, or after five minutes', () => {
    const preserved: Lease = { at: 'preserved', heartbeat: 0, since: 30_000 }
    const later: Lease = { at: 'held', heartbeat: 300_000, until: 400_000 }
    expect(judged([...times(5, later), ...times(5, preserved)], 300_000)).toEqual([
      ...times(5, 'held'),
      ...times(5, 'preserved'),
    ])
    expect(judged([...times(9, later), preserved], 300_000)).toEqual([...times(9, 'held'), 'expired'])
    expect(judged([...times(5, later), ...times(5, preserved)], 330_000)).toEqual([
      ...times(5, 'held'),
      ...times(5, 'expired'),
    ])
  })

  it('expires what an earlier run knew and nobody heard of, however many', () => {
    const before: Lease = { at: 'restored', until: 30_000 }
    expect(judged([...times(6, running), ...times(10, before), silent])).toEqual([
      ...times(6, 'held'),
      ...times(10, 'expired'),
      'expired',
    ])
  })

  it('never lets more than the allowed share go within one lease, and expires only the silent', () => {
    const lease: fc.Arbitrary<Lease> = fc.oneof(
      fc.nat(60_000).map((until): Lease => ({ at: 'held', heartbeat: until - 30_000, until })),
      fc.nat(30_000).map((since): Lease => ({ at: 'preserved', heartbeat: since - 30_000, since })),
    )
    fc.assert(
      fc.property(fc.array(lease, { minLength: 5, maxLength: 60 }), (leases) => {
        const verdicts = judged(leases)
        const expired = verdicts.filter((verdict) => verdict === 'expired').length
        expect(expired).toBeLessThanOrEqual(mayVanish(leases.length, LIMITS))
        leases.forEach((held, at) => {
          if (held.at === 'held' && held.until > 30_000) expect(verdicts[at]).toBe('held')
        })
      }),
    )
  })
})
