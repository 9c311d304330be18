import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteBlocks } from './byte-blocks.ts'

describe('ByteBlocks', () => {
  it('gives back what came, however it was cut', () => {
    fc.assert(
      fc.property(PIECES, fc.boolean(), (pieces, isAnnounced) => {
        const whole = Buffer.concat(pieces)
        const blocks = new ByteBlocks(isAnnounced ? whole.length : 0)
        for (const piece of pieces) blocks.push(piece)
        expect(blocks.size).toBe(whole.length)
        expect(blocks.take().equals(whole)).toBe(true)
        expect(blocks.size).toBe(0)
        expect(blocks.take()).toHaveLength(0)
      }),
      { numRuns: 50 },
    )
  })

  it('copies nothing that comes in one piece', () => {
    const blocks = new ByteBlocks()
    const piece = Buffer.from('whole')
    blocks.push(piece)
    expect(blocks.take()).toBe(piece)
  })

  it('copies large pieces once, when all is put together', () => {
    const before = process.memoryUsage().arrayBuffers
    const blocks = new ByteBlocks()
    const piece = Buffer.alloc(65_536, 'x')
    for (let at = 0; at < 100; at++) {
      blocks.push(ONE)
      blocks.push(piece)
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 65_536)
    expect(blocks.take()).toHaveLength(100 * 65_537)
  })

  it('puts large pieces together as they come where their number is known, from a quarter of them on', () => {
    const piece = Buffer.alloc(65_536, 'x')
    const blocks = new ByteBlocks(100 * piece.length)
    const before = process.memoryUsage().arrayBuffers
    for (let at = 0; at < 25; at++) blocks.push(piece)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(piece.length)
    for (let at = 25; at < 100; at++) blocks.push(piece)
    const gathered = process.memoryUsage().arrayBuffers
    expect(gathered - before).toBeLessThan(101 * piece.length)
    const whole = blocks.take()
    expect(process.memoryUsage().arrayBuffers - gathered).toBeLessThan(piece.length)
    expect(whole.equals(Buffer.alloc(100 * piece.length, 'x'))).toBe(true)
  })

  it('keeps no piece of many: its memory is its bytes and at most 64 KB', () => {
    const before = process.memoryUsage().arrayBuffers
    const blocks = new ByteBlocks()
    for (let at = 0; at < 1_000_000; at++) blocks.push(ONE)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000 + 65_536)
    expect(blocks.take()).toHaveLength(1_000_000)
  })
})

const ONE = Buffer.alloc(1, 'x')
const LARGE = fc.integer({ min: 10_000, max: 40_000 }).map((length) => Buffer.alloc(length, length))
const PIECES = fc.array(fc.oneof(fc.uint8Array({ maxLength: 3_000 }), LARGE), { maxLength: 60 })
