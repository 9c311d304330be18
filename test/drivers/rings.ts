import { expect } from 'vitest'
import type { Store } from '../../src/drivers/store/contract.ts'

/** A ring is heard elsewhere in less, in milliseconds: all bells are rung every 5 s, which is no sign that one was. */
export const RING_MS = 2_000

/** Rings a bell three times, each once the one before was heard: how long it takes until most of them are, in milliseconds. A busy machine is late once. */
export async function mostRingsTime(store: Pick<Store<never>, 'ring'>, heard: () => number): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < 3; round++) {
    const [since, before] = [performance.now(), heard()]
    store.ring('rows')
    await expect.poll(heard, { interval: 20 }).toBeGreaterThan(before)
    times.push(performance.now() - since)
  }
  return times.toSorted((one, other) => one - other)[1] ?? Number.POSITIVE_INFINITY
}
