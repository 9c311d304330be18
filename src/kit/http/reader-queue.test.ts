import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameOf } from './event-stream.ts'
import { PIECE_BYTES } from './frame.ts'
import { ReaderQueues } from './reader-queue.ts'

const LIMITS = { queued_bytes: 1e9, queued_bytes_per_reader: 1e9 }

describe('ReaderQueues', () => {
  it('gives every byte in order, small events together and large ones in pieces, and counts what waits', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 30 }), (lengths) => {
        const queues = new ReaderQueues(LIMITS)
        const queue = queues.open(() => {})
        const frames = lengths.map((length, id) => frameOf({ id: String(id), data: 'é'.repeat(length) }))
        for (const frame of frames) queue.push(frame)
        expect(queues.bytes).toBe(frames.reduce((size, frame) => size + frame.size, 0))
        const taken: Uint8Array[] = []
        for (let piece = queue.take(); piece; piece = queue.take()) taken.push(piece)
        expect(Buffer.concat(taken).equals(Buffer.concat(frames.flatMap(({ pieces }) => pieces)))).toBe(true)
        expect(taken.every(({ length }) => length <= PIECE_BYTES)).toBe(true)
        expect([queue.isEmpty, queues.bytes]).toEqual([true, 0])
      }),
      { numRuns: 50 },
    )
  })

  it('hands out few pieces before other work has its turn, however many readers want one', async () => {
    const queues = new ReaderQueues(LIMITS)
    let handed = 0
    const mostAtOnce = async (readers: number) => {
      let most = 0
      const served = Array.from({ length: readers }, async () => {
        await queues.turn()
        handed++
      })
      for (let before = handed; handed < readers; before = handed) {
        await new Promise(setImmediate)
        most = Math.max(most, handed - before)
      }
      await Promise.all(served)
      return most
    }
    expect(await mostAtOnce(1_000)).toBeLessThanOrEqual(32)
    handed = 0
    await new Promise(setImmediate)
    expect(queues.turn()).toBeUndefined()
  })
})
