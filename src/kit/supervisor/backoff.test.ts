import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Ends, endsAfter, NO_ENDS, restartDelay } from './backoff.ts'

/** The waits between lives that were ready for so long each, milliseconds; undefined: never. */
function delays(lives: readonly (number | undefined)[]): readonly number[] {
  let ends: Ends = NO_ENDS
  return lives.map((readyMs) => {
    ends = endsAfter(ends, readyMs)
    return restartDelay(ends)
  })
}

const never = fc.constant(undefined)

describe('restart back-off', () => {
  it('doubles from 100 ms to 30 s for what never gets ready', () => {
    expect(delays(Array(11).fill(undefined))).toEqual([
      ...[100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000],
    ])
  })

  it('keeps what had been ready waiting for half a second at most', () => {
    expect(delays(Array(6).fill(0))).toEqual([100, 200, 400, 500, 500, 500])
    fc.assert(
      fc.property(fc.array(fc.oneof(never, fc.nat(60_000))), fc.nat(60_000), (before, last) => {
        expect(delays([...before, last]).at(-1)).toBeLessThanOrEqual(500)
      }),
    )
  })

  it('forgets ends after ten seconds of readiness, not before, and those of the other kind at once', () => {
    expect(delays([0, 0, 9_999])).toEqual([100, 200, 400])
    expect(delays([0, 0, 10_000])).toEqual([100, 200, 100])
    expect(delays([undefined, undefined, 0, undefined])).toEqual([100, 200, 100, 100])
  })

  it('counts ends in a row whether it had been ready or not, until it was for ten seconds', () => {
    const inARow = (lives: readonly (number | undefined)[]) => lives.reduce(endsAfter, NO_ENDS).inARow
    expect(inARow([undefined, 0, undefined, 9_999])).toBe(4)
    expect(inARow([undefined, 0, undefined, 10_000])).toBe(1)
  })

  it('starts what never gets ready at most 11 times in the first minute, however fast it dies', () => {
    const [starts] = delays(Array(30).fill(undefined)).reduce<[number, number]>(
      ([count, now], delay) => [now < 60_000 ? count + 1 : count, now + delay],
      [0, 0],
    )
    expect(starts).toBeLessThanOrEqual(11)
  })
})
