import { describe, expect, it } from 'vitest'
import { backOff } from './back-off.ts'

const most = () => 1
const least = () => 0

describe('backOff', () => {
  it('doubles from 100 ms to 1.5 s unless told otherwise', () => {
    const waits = [1, 2, 3, 5, 6, 5_000].map((failures) => backOff(failures, { random: most }))
    expect(waits).toEqual([100, 200, 400, 1_500, 1_500, 1_500])
    expect([1, 2, 3].map((failures) => backOff(failures, { firstMs: 8, mostMs: 20, random: most }))).toEqual([
      8, 16, 20,
    ])
  })

  it('leaves half of it to chance', () => {
    expect([1, 2, 9].map((failures) => backOff(failures, { random: least }))).toEqual([50, 100, 750])
  })
})
