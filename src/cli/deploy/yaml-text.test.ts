import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { isPlain } from './yaml-text.ts'

describe('text in YAML without quotes', () => {
  it('is what every reader takes for the same text', () => {
    for (const text of ['msvc', '/run/secrets/x', '--config', '-c', 'http://user:8001/api', '512Mi', 'a b', 'a=b'])
      expect(isPlain(text), text).toBe(true)
  })

  it('is nothing that an older or stricter one takes for something else', () => {
    const others = [
      'yes',
      'N',
      'on',
      '~',
      '1',
      '0o14',
      '0x1F',
      '1e3',
      'e3',
      '-E-3',
      '1_000',
      '190:20',
      '2001-12-14',
      '.inf',
      '=',
    ]
    const signs = ['a?b', 'a, b', 'a: b', 'a:', 'a #b', 'a ', ' a', '', '-', '- a', '<<', '!x', '&x', '*x', '%x', '$x']
    for (const text of [...others, ...signs]) expect(isPlain(text), text).toBe(false)
  })

  it('reads back alone, in a list on one line and as a value in a map on one line', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }).filter(isPlain), (text) => {
        for (const version of ['1.1', '1.2'] as const) {
          expect(parse(text, { version })).toBe(text)
          expect(parse(`[${text}, ${text}]`, { version })).toEqual([text, text])
          expect(parse(`{ a: ${text} }`, { version })).toEqual({ a: text })
        }
      }),
    )
  })
})
