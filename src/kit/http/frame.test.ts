import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FrameWriter, PIECE_BYTES } from './frame.ts'

it('gathers texts into pieces of one size, whatever characters they are cut between', () => {
  const text = fc
    .tuple(fc.constantFrom('x', 'é', '漢', '😀', 'a漢😀b'), fc.integer({ min: 0, max: 20_000 }))
    .map(([unit, times]) => unit.repeat(times))
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), (texts) => {
      const writer = new FrameWriter()
      for (const one of texts) writer.write(one)
      const { pieces, size } = writer.end()
      expect(Buffer.concat(pieces).toString()).toBe(texts.join(''))
      expect(size).toBe(Buffer.byteLength(texts.join('')))
      const full = pieces.slice(0, -1).every(({ length }) => length > PIECE_BYTES - 4)
      expect(full && pieces.every(({ length }) => length <= PIECE_BYTES)).toBe(true)
    }),
    { numRuns: 20 },
  )
})
