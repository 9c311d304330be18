import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { didYouMean } from './nearest.ts'

const ROLES = ['registry', 'gateway', 'user', 'order', 'payment']

describe('didYouMean', () => {
  it.each([
    ['gatway', 'gateway'],
    ['gatewya', 'gateway'],
    ['Registry', 'registry'],
    ['usr', 'user'],
    ['payments', 'payment'],
  ])('takes %s for %s', (word, meant) => {
    expect(didYouMean(word, ROLES)).toBe(`; did you mean ${meant}?`)
  })

  it.each(['zebra', 'x', '', 'orchestra'])('does not guess what %j means', (word) => {
    expect(didYouMean(word, ROLES)).toBe('')
  })

  it('always finds a word with one letter changed, swapped, added or left out', () => {
    const edits = fc.tuple(fc.constantFrom(...ROLES), fc.nat(3), fc.nat(20), fc.constantFrom(...'abc'))
    fc.assert(
      fc.property(edits, ([word, kind, where, letter]) => {
        const at = where % (word.length - 1)
        const [before, here, next, after] = [word.slice(0, at), word[at], word[at + 1], word.slice(at + 2)]
        const edited = [
          `${before}${letter}${next}${after}`,
          `${before}${next}${here}${after}`,
          `${before}${letter}${here}${next}${after}`,
          `${before}${next}${after}`,
        ][kind]
        expect(didYouMean(edited ?? '', ROLES)).toBe(`; did you mean ${word}?`)
      }),
    )
  })
})
