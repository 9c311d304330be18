import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readArray, readLines, readOne } from './batch.ts'
import { parseJson } from './body.ts'

const MIB = 1_048_576

/** How often others had a turn until this was over, one way or the other. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0
  let next = setImmediate(function count() {
    turns++
    next = setImmediate(count)
  })
  await work.catch(() => {})
  clearImmediate(next)
  return turns
}

describe('a batch', () => {
  it('is read as lines, blank ones apart', async () => {
    const documents = fc.array(fc.json().map((text) => text.replaceAll('\n', ' ')))
    await fc.assert(
      fc.asyncProperty(documents, fc.constantFrom('\n', '\r\n', '\n \t\r\n\n'), async (lines, between) => {
        const body = Buffer.from(between + lines.join(between))
        expect(await readLines(body, parseJson)).toEqual(lines.map((line) => JSON.parse(line)))
      }),
    )
  })

  it('is read as the elements of an array', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), fc.constantFrom('', ' ', '\n\t'), async (values, space) => {
        const body = Buffer.from(`${space}${JSON.stringify(values, undefined, space)}${space}`)
        expect(await readArray(body, parseJson)).toEqual(JSON.parse(body.toString()))
      }),
    )
  })

  it('is taken as an array exactly when it is one', async () => {
    const pieces = fc.array(fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '\\', '1', '"a"', ' '), { maxLength: 9 })
    await fc.assert(
      fc.asyncProperty(pieces, async (inside) => {
        const text = `[${inside.join('')}`
        const wanted = await Promise.resolve(text)
          .then(JSON.parse)
          .catch(() => 'none')
        const found = await readArray(Buffer.from(text), parseJson).catch(() => 'none')
        expect(found).toEqual(wanted)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each(['', ' ', '{}', '"["', '1'])('is no array when it begins otherwise: %s', async (text) => {
    expect(await readArray(Buffer.from(text), parseJson)).toBeUndefined()
  })

  it.each([
    ['lines', readLines, '1\n'.repeat(10_001), 'INVALID_REQUEST'],
    ['elements', readArray, `[${'1,'.repeat(10_000)}1]`, 'INVALID_REQUEST'],
    ['bytes in a line', readLines, 'x'.repeat(2 * MIB), 'BODY_TOO_LARGE'],
    ['bytes in an element', readArray, `["${'x'.repeat(2 * MIB)}"]`, 'BODY_TOO_LARGE'],
    [
      'bytes in the only item',
      async (body: Buffer, read: () => unknown) => readOne(body, read),
      'x'.repeat(2 * MIB),
      'BODY_TOO_LARGE',
    ],
    ['brackets in an element', readArray, `[${'['.repeat(2 * MIB)}`, 'BODY_TOO_LARGE'],
  ])('is refused with too many %s', async (_, read, text, code) => {
    await expect(read(Buffer.from(text), () => undefined)).rejects.toMatchObject({ code })
  })

  it.each([
    ['blank lines', readLines, '\n'.repeat(8 * MIB)],
    ['blanks before an array', readArray, ' '.repeat(8 * MIB)],
    ['small items', readLines, '{"a":[1,2,3],"b":"some text"}\n'.repeat(10_000)],
    ['large elements', readArray, `[${`${JSON.stringify(Array(20_000).fill('a'))},`.repeat(20)}1]`],
  ])('lets others have their turns: %s', async (_, read, text) => {
    expect(await turnsDuring(read(Buffer.from(text), parseJson))).toBeGreaterThan(2)
  })
})
