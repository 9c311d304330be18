import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AppError } from './errors.ts'
import { checkTopicName, checkTopicPattern, MAX_TOPIC_BYTES } from './topic-name.ts'

describe('checkTopicName', () => {
  it.each(['order.created', 'a', 'A-b_c.1', 'urn:order', 'commande.créée', '注文.作成', 'x'.repeat(MAX_TOPIC_BYTES)])(
    'takes %s',
    (name) => {
      expect(checkTopicName(name)).toBe(name)
    },
  )

  it.each([
    ['nothing', ''],
    ['an empty word', 'a..b'],
    ['an empty first word', '.a'],
    ['an empty last word', 'a.'],
    ['dots alone', '..'],
    ['a path', '../etc/passwd'],
    ['a slash', 'a/b'],
    ['a backslash', 'a\\b'],
    ['an encoded slash', 'a%2fb'],
    ['a wildcard word', 'order.*'],
    ['a wildcard rest', 'order.>'],
    ['a wildcard in a word', 'ord*'],
    ['a hash', 'order.#'],
    ['a system topic', '$SYS.health'],
    ['a dollar inside', 'a.$b'],
    ['a NUL', 'a\0'],
    ['a line break', 'a\nb'],
    ['a space', 'a b'],
    ['a right-to-left override', 'a\u202eb'],
    ['half a surrogate pair', 'a\ud800'],
    ['256 bytes', 'x'.repeat(256)],
    ['128 characters of 2 bytes', 'é'.repeat(128)],
  ])('refuses %s', (_, name) => {
    expect(() => checkTopicName(name)).toThrow(AppError)
  })

  it('takes only words of letters, digits and a few signs, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aZ0_-:é日.....*>$/\\ \0\n\ud800'), maxLength: 40 }), (name) => {
        const words = name.split('.')
        const isFine = words.every((word) => /^[\p{L}\p{M}\p{N}_:-]+$/u.test(word)) && Buffer.byteLength(name) <= 255
        if (isFine) expect(checkTopicName(name)).toBe(name)
        else expect(() => checkTopicName(name)).toThrow(AppError)
      }),
    )
  })
})

describe('checkTopicPattern', () => {
  it.each(['order.created', '*', '>', 'order.*', '*.created', 'order.>', 'a.*.c.>'])('takes %s', (pattern) => {
    expect(checkTopicPattern(pattern)).toBe(pattern)
  })

  it.each(['', 'a..b', '>.a', 'a.>.b', 'a*', 'a.b>', '**', '$SYS.>', 'a/b', `${'x.'.repeat(128)}x`])(
    'refuses %j',
    (pattern) => {
      expect(() => checkTopicPattern(pattern)).toThrow(AppError)
    },
  )

  it('takes every name', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', 'Z', '0', '_', '-', ':', 'é', '日'),
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (words) => {
        const name = words.join('.')
        expect(checkTopicPattern(name)).toBe(checkTopicName(name))
      }),
    )
  })
})
