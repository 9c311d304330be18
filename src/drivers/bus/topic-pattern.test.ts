import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { topicPattern } from './topic-pattern.ts'

const word = fc.stringMatching(/^[a-z0-9_-]{1,4}$/)
const topic = fc.array(word, { minLength: 1, maxLength: 5 })

describe('topicPattern', () => {
  it('takes a topic as itself alone', () => {
    fc.assert(
      fc.property(topic, topic, (a, b) => {
        expect(topicPattern(a.join('.')).matches(b.join('.'))).toBe(a.join('.') === b.join('.'))
      }),
    )
  })

  it('matches what the same pattern matches as a regular expression', () => {
    const pattern = fc
      .tuple(fc.array(fc.oneof(word, fc.constant('*')), { maxLength: 4 }), fc.oneof(word, fc.constantFrom('*', '>')))
      .map(([words, last]) => [...words, last])
    fc.assert(
      fc.property(pattern, topic, (words, given) => {
        const source = words.map((w) => (w === '*' ? '[^.]+' : w === '>' ? '.+' : w)).join('\\.')
        expect(topicPattern(words.join('.')).matches(given.join('.'))).toBe(
          new RegExp(`^${source}$`).test(given.join('.')),
        )
      }),
    )
  })

  it.each(['', '.', 'a.', '.a', 'a..b', '>.a', 'a.>.b', 'a*', 'a.b>', '**'])('refuses %j', (source) => {
    expect(() => topicPattern(source)).toThrow(expect.objectContaining({ kind: 'invalid' }))
  })

  it('wants at least one word for >', () => {
    expect(topicPattern('order.>').matches('order')).toBe(false)
    expect(topicPattern('>').matches('order')).toBe(true)
  })
})
