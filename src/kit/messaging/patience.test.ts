import { describe, expect, it, vi } from 'vitest'
import { createPatience } from './patience.ts'

const never = new AbortController().signal

describe('patience', () => {
  it('does not wait for who is well', async () => {
    const patience = createPatience()
    patience.heard(false)
    expect(patience.isWell).toBe(true)
    await patience.untilNextTry(never)
  })

  it('waits a tenth of what it waited before, up to its limit, and anew after a success', async () => {
    vi.useFakeTimers()
    try {
      const patience = createPatience(2_000, () => 0)
      const wait = async () => {
        patience.heard(true)
        const start = Date.now()
        const waiting = patience.untilNextTry(never)
        await vi.runAllTimersAsync()
        await waiting
        return Date.now() - start
      }
      const waits: number[] = []
      for (let n = 0; n < 60; n++) waits.push(await wait())
      expect(waits.slice(0, 12)).toEqual([...Array(11).fill(100), 110])
      expect(waits.at(-1)).toBe(2_000)
      patience.heard(false)
      expect(await wait()).toBe(100)
    } finally {
      vi.useRealTimers()
    }
  })
})
