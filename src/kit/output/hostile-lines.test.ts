import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseLogfmt } from './logfmt.ts'
import { readLoggerEntry } from './logger-entry.ts'
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
  // not what others had the processor for meanwhile
  const began = process.threadCpuUsage()
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
  expect(process.threadCpuUsage(began).user / 1_000).toBeLessThan(5_000)
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

const MOST_TEXT = 65_536

/** The messages that a line gives. */
function messagesOf(line: string): readonly string[] {
  const messages: string[] = []
  const clock = { now: () => 0, monotonic: () => 0 }
  const take = ({ message }: { readonly message: string }) => void messages.push(message)
  const reader = createOutputReader({ service: 's', instance: 'i', clock, take })
  reader.push('stdout', Buffer.from(`${line}\n`))
  reader.end()
  return messages
}

const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const holes = '{a}'.repeat(10_000)

it.each([
  ['many holes and a large text', `{"@mt":"${holes}","a":"${'x'.repeat(30_000)}"}`],
  ['many holes and many controls', `{"@mt":"${holes}","a":"${'\\u0001'.repeat(5_000)}"}`],
  ['many holes and controls in a list', `{"@mt":"${holes}","a":["${'\\u0001'.repeat(5_000)}"]}`],
  ['many holes and numbers that grow', `{"@mt":"${holes}","a":[${'1e20,'.repeat(6_000)}0]}`],
  ['many holes and raw controls', `{"@mt":"${holes}","a":"${'\u0001'.repeat(30_000)}"}`],
  ['a value nested deep', `{"@mt":"{a}","a":${deep(30_000)}}`],
  ['a value nested deep beside a long number', `{"@mt":"{a}","a":${deep(30_000)},"b":1e400}`],
  ['metadata nested deep', `{"msg":"m","a":${deep(30_000)}}`],
  ['a pair of surrogates at the bound', `{"msg":"${'😀'.repeat(16_000)}${'\\u0001'.repeat(5_000)}"}`],
  ['text with a pair at the bound', `x${'\u0001'.repeat(500)}${'😀'.repeat(32_000)}`],
])('keeps one line within bounds: %s', (_, line) => {
  const messages = messagesOf(line)
  expect(messages).not.toEqual([])
  for (const message of messages) {
    expect(message.length).toBeLessThanOrEqual(MOST_TEXT)
    expect(message.isWellFormed()).toBe(true)
  }
})

it('fills a template in no further than an entry goes', () => {
  for (const a of ['x'.repeat(30_000), ['\u0001'.repeat(30_000)], 'x'.repeat(1_000_000)]) {
    const entry = readLoggerEntry({ '@mt': holes, a }, { service: 's', instance: 'i' })
    // up to the bound, then one value
    expect(entry?.message.length).toBeLessThanOrEqual(2 * MOST_TEXT)
    expect(entry?.message.length).toBeGreaterThanOrEqual(MOST_TEXT)
  }
})

it('takes any line of JSON, within bounds', () => {
  const value = fc.oneof(
    { depthSize: 'small' },
    fc.jsonValue().map((any) => JSON.stringify(any)),
    fc.integer({ min: 0, max: 8_000 }).map(deep),
    fc.integer({ min: 0, max: 500 }).map((count) => `"${'\\u0001'.repeat(count)}"`),
    fc.constantFrom('1e400', '9007199254740993', '-0', 'null', '"2026-11-28T04:43:40Z"', '1795841020746', '"ERROR"'),
  )
  const template = fc
    .tuple(
      fc.constantFrom('{a}', '{@a}', '{a,8:0}', '{level}', '{__proto__}', '{', ' '),
      fc.integer({ max: 3_000, min: 0 }),
    )
    .map(([hole, count]) => JSON.stringify(hole.repeat(count)))
  const name = fc.constantFrom(
    'a',
    '@t',
    '@l',
    'level',
    'time',
    'msg',
    'trace_id',
    'metadata',
    'mdc',
    'Scopes',
    '__proto__',
  )
  const members = fc.array(fc.tuple(name, value), { maxLength: 4 })
  fc.assert(
    fc.property(template, members, (mt, given) => {
      const line = `{"@mt":${mt}${given.map(([key, text]) => `,${JSON.stringify(key)}:${text}`).join('')}}`
      for (const message of messagesOf(line)) {
        expect(message.length).toBeLessThanOrEqual(MOST_TEXT)
        expect(message.isWellFormed()).toBe(true)
      }
    }),
    { numRuns: 50 },
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
