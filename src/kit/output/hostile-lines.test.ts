import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseLogfmt } from './logfmt.ts'
import { createOutputReader } from './output-reader.ts'
import { plainText } from './plain-text.ts'

const COUNT = 200_000

/** What a pattern would go over again and again that isn't made for it. */
const HOSTILE: readonly string[] = [
  '\u001b',
  '\u001b]',
  '\u001b];?',
  '\u001b[;',
  '\u009b1;',
  '=',
  'a=',
  'a="',
  'a="\\',
  'level=',
  '[',
  '[]',
  '(',
  ':',
  '/a.js:',
  'node:',
  'a.b',
  'a.Exception',
  'Exception:',
  '#1 ',
  '{"a":',
  '{',
  '- ',
  ' ',
  '\t',
  '\r',
  '<3>',
  'ERROR',
  'a:1:in ',
  '-----BEGIN ',
  '{@a',
]

it.each(HOSTILE)('takes time in proportion to a line of %j', (piece) => {
  const entries: string[] = []
  const clock = { now: () => 0, monotonic: () => 0 }
  const reader = createOutputReader({
    service: 's',
    instance: 'i',
    clock,
    take: ({ message }) => entries.push(message),
  })
  const long = piece.repeat(COUNT / piece.length)
  const began = performance.now()
  for (const line of [
    long,
    `a=${long}`,
    `2026-11-28 ${long}`,
    `x\n ${long}`,
    `{"@t":0,"@mt":"${long}"}`,
    `a.rb:1:in '${long}`,
  ]) {
    reader.push('stdout', Buffer.from(`${line}\n`))
  }
  reader.end()
  // what grows with the square would take minutes
  expect(performance.now() - began).toBeLessThan(5_000)
  expect(Math.max(0, ...entries.map(({ length }) => length))).toBeLessThanOrEqual(65_536)
})

it('never throws, and gives out well-formed entries without controls', () => {
  const bytes = fc.uint8Array({ maxLength: 300 })
  const text = fc.string({ unit: fc.constantFrom(...HOSTILE.join(''), '\n', '"', '}', ',', 'é', '\u2028') })
  fc.assert(
    fc.property(fc.array(fc.oneof(bytes, text), { maxLength: 12 }), (chunks) => {
      const messages: string[] = []
      const clock = { now: () => 0, monotonic: () => 0 }
      const take = ({ message }: { readonly message: string }) => void messages.push(message)
      const reader = createOutputReader({ service: 's', instance: 'i', clock, take })
      for (const chunk of chunks) reader.push('stdout', Buffer.from(chunk))
      reader.end()
      for (const message of messages) expect(message).not.toMatch(/[^\P{Cc}\n\t]|\p{Cs}/u)
    }),
  )
})

it('leaves a text without controls as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      fc.pre(!/\p{Cc}/u.test(text))
      expect(plainText(text)).toBe(text)
    }),
  )
})

it('reads back what logfmt can say', () => {
  const key = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/)
  const pairs = fc.uniqueArray(fc.tuple(key, fc.string()), { selector: ([name]) => name, maxLength: 8 })
  fc.assert(
    fc.property(pairs, (given) => {
      const line = [['level', 'info'], ...given.filter(([name]) => name !== 'level')]
      const text = line.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(' ')
      expect(parseLogfmt(text)).toEqual(Object.fromEntries(line))
    }),
  )
  for (const none of ['', 'a', 'a=', 'a=1', 'level=info x', 'level="info', 'level=info"x"', ' level=info']) {
    expect(parseLogfmt(none)).toBeUndefined()
  }
})
