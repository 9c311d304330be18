import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { BatchWriter } from './batch-writer.ts'

/** A store whose writes end when told to. */
function heldStore() {
  const written: number[][] = []
  const held: PromiseWithResolvers<void>[] = []
  return {
    written,
    write(items: readonly number[]): Promise<void> {
      written.push([...items])
      const answer = Promise.withResolvers<void>()
      held.push(answer)
      return answer.promise
    },
    async end(cause?: Error) {
      const answer = held.shift()
      if (cause) answer?.reject(cause)
      else answer?.resolve()
      await nextTurn()
    },
  }
}

describe('BatchWriter', () => {
  it('joins what comes during a write into the next', async () => {
    const store = heldStore()
    const writer = new BatchWriter({ write: (items: readonly number[]) => store.write(items), maxBatch: 4 })
    const done: number[] = []
    for (const n of [1, 2, 3, 4]) void writer.add([n, n * 10]).then(() => done.push(n))
    expect(store.written).toEqual([[1, 10]])
    await store.end()
    expect(done).toEqual([1])
    expect(store.written[1]).toEqual([2, 20, 3, 30])
    await store.end()
    await store.end()
    expect(done).toEqual([1, 2, 3, 4])
    expect(store.written).toHaveLength(3)
  })

  it('tells those of a failed write, and goes on', async () => {
    const store = heldStore()
    const writer = new BatchWriter({ write: (items: readonly number[]) => store.write(items) })
    const first = writer.add([1])
    const rest = [writer.add([2]), writer.add([3])]
    await Promise.all([first, store.end()])
    const failed = Promise.allSettled(rest)
    await store.end(new Error('disk full'))
    expect(await failed).toMatchObject([{ reason: { message: 'disk full' } }, { reason: { message: 'disk full' } }])
    await Promise.all([writer.add([4]), store.end()])
  })

  it('refuses more than may wait, but never a single caller', async () => {
    const store = heldStore()
    const writer = new BatchWriter({ write: (items: readonly number[]) => store.write(items), maxWaiting: 2 })
    const large = writer.add([1, 2, 3])
    await expect(writer.add([4])).rejects.toMatchObject({ code: 'UNAVAILABLE', headers: { 'retry-after': '1' } })
    await Promise.all([large, store.end()])
    await Promise.all([writer.add([5, 6]), store.end()])
    await writer.add([])
  })
})
