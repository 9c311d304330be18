import fc from 'fast-check'
import { expect, it } from 'vitest'
import { lineSplitter } from './lines.ts'

it('gives the same lines however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme' })),
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      (texts, cuts) => {
        const whole = texts.map((text) => text.replaceAll(/[\r\n]/g, '')).join('\n')
        const bytes = Buffer.from(whole)
        const lines: string[] = []
        const splitter = lineSplitter((line) => lines.push(line))
        for (let at = 0; at < bytes.length; ) {
          const size = cuts.next().value ?? 1
          splitter.push(bytes.subarray(at, at + size))
          at += size
        }
        splitter.end()
        expect(lines.join('\n')).toBe(bytes.toString().replace(/\n$/, ''))
      },
    ),
  )
})

it('does not hold more than a line of 64 KB back', () => {
  const lines: string[] = []
  lineSplitter((line) => lines.push(line)).push(Buffer.alloc(200_000, 'x'))
  expect(lines.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536])
})
