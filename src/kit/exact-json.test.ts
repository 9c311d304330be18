import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { compactJson, memberOf, membersOf, NUMBERS_IN_WORDS, parseExact, parseLiteral } from './exact-json.ts'

const HARD = [
  '9007199254740993',
  '123456789012345678901234567890',
  '1e400',
  '-1e400',
  '1e-400',
  '0.1000000000000000055',
]

describe('parseExact', () => {
  it.each(HARD)('keeps %s, which no double holds, to the letter', (number) => {
    const text = `{"a":[${number}]}`
    expect(JSON.stringify(parseExact(text))).toBe(text)
    const faults = z.object({ a: z.array(z.number()) }).safeParse(parseExact(text), NUMBERS_IN_WORDS)
    expect(faults.error?.issues[0]?.message).toBe('a number too large or too exact to be kept')
  })

  it.each([
    ['1.0', 1],
    ['1E3', 1000],
    ['29.900000000000000000', 29.9],
    ['100000000000000000000', 1e20],
    ['0.00e-999999', 0],
    ['-0.0', -0],
    ['5e-324', 5e-324],
    ['1.7976931348623157e+308', Number.MAX_VALUE],
  ])('takes %s for the number that it is', (text, number) => {
    expect(parseExact(text)).toBe(number)
  })

  it('gives what JSON.parse gives for all that JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        expect(parseExact(text)).toEqual(JSON.parse(text))
      }),
    )
  })
})

describe('parseLiteral', () => {
  it.each([...HARD, '1.0', '1E3', '-0', '29.90'])('has %s written again as it was', (number) => {
    expect(JSON.stringify(parseLiteral(`[${number}]`))).toBe(`[${number}]`)
  })
})

describe('membersOf', () => {
  it('gives each member to the letter, the last of a name', () => {
    const text = ' { "2" : 1.0 , "1" : { "b" : [ 1e400, "a, b: \\"}" ] } , "\\u0061" : "x y" , "2" : -0 , "n" : null } '
    expect([...membersOf(text)]).toEqual([
      ['2', '-0'],
      ['1', '{"b":[1e400,"a, b: \\"}"]}'],
      ['a', '"x y"'],
      ['n', 'null'],
    ])
    expect([memberOf(text, 'a'), memberOf(text, '2'), memberOf(text, 'b')]).toEqual(['"x y"', '-0', undefined])
    expect([...membersOf('{}')]).toEqual([])
    expect([...membersOf('{"a":{},"__proto__":[]}')]).toEqual([
      ['a', '{}'],
      ['__proto__', '[]'],
    ])
  })

  it('puts together what JSON.stringify takes apart', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (object, indent) => {
        const members = [...membersOf(JSON.stringify(object, null, indent))]
        expect(Object.fromEntries(members)).toEqual(
          Object.fromEntries(Object.entries(object).map(([name, value]) => [name, JSON.stringify(value)])),
        )
      }),
    )
  })
})

it('takes time in proportion to a number of many zeros', () => {
  const text = `{"n":1${'0'.repeat(65_000)}1}`
  const began = performance.now()
  expect(JSON.stringify(parseExact(text))).toBe(text)
  // what begins anew at each of them would take more than ten seconds
  expect(performance.now() - began).toBeLessThan(2_000)
})

describe('compactJson', () => {
  it('leaves out white space between the parts alone', () => {
    expect(compactJson('[ 1.0 ,\r\n\t"a  \\" b" ]')).toBe('[1.0,"a  \\" b"]')
  })
})
