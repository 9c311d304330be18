import { matchesGlob } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob, globFault } from './glob.ts'

describe('compileGlob', () => {
  it.each([
    ['**/*.py', ['a.py', 'a/b.py', 'a/b/c.py'], ['a.pyc', '.a.py', 'a/.git/b.py', 'a']],
    ['*.{ts,tsx}', ['a.ts', 'a.tsx'], ['a.js', 'b/a.ts', 'a.t']],
    ['src/**', ['src/a', 'src/a/b'], ['src', 'other/a', 'src/.env']],
    ['{src/**,lib/**}', ['src/a/b', 'lib/a'], ['src', 'src/.git/a', 'other/a/b']],
    ['src/{**,x}', ['src/a/b', 'src/x'], ['src']],
    ['.env', ['.env'], ['a.env']],
    ['**/.env{,.local}', ['.env', 'a/.env.local'], ['a/.env.other']],
    ['{src,lib/{a,b}}/?[a-c!].js', ['src/xa.js', 'lib/b/x!.js'], ['lib/x.js', 'src/xd.js', 'lib/xa.js']],
    ['[!a]b', ['bb'], ['ab', '/b', '.b']],
    ['a\\*[', ['a*['], ['ab[']],
    ['a/**/b', ['a/b', 'a/x/y/b'], ['ab', 'a/xb']],
    ['', [''], ['a']],
    ['??', ['🎉x'], ['x']],
  ])('%s', (pattern, yes, no) => {
    const is = compileGlob(pattern)
    expect(yes.filter((path) => !is(path))).toEqual([])
    expect(no.filter(is)).toEqual([])
  })

  it("means what node's own matching means", () => {
    const piece = fc.constantFrom('a', 'b', '.', '*', '?', '/', '[ab]', '{a,b*}', '**/', 'ab')
    const name = fc.stringMatching(/^[ab.]{1,4}$/).filter((text) => text !== '.' && text !== '..')
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.array(name, { minLength: 1, maxLength: 3 }),
        (pieces, names) => {
          const pattern = pieces.join('')
          // what node does to the folders themselves in a path's text is of no use here
          fc.pre(!/(^|\/)\.{1,2}(\/|$)|\/\/|^\/|\/$|\*\*|\{[^}]*\}.*\*|^$/.test(pattern) && !/[*?].*\./.test(pattern))
          expect([pattern, names, compileGlob(pattern)(names.join('/'))]).toEqual([
            pattern,
            names,
            matchesGlob(names.join('/'), pattern),
          ])
        },
      ),
      { numRuns: 500 },
    )
  })

  it('takes no longer for a pattern with many ways to match', () => {
    const stars = compileGlob(`**/${'*a'.repeat(40)}y`)
    const braces = compileGlob('{a,b}'.repeat(40))
    const begin = performance.now()
    expect(stars(`${'a'.repeat(4_000)}x`)).toBe(false)
    expect(braces('ab'.repeat(20))).toBe(true)
    expect(performance.now() - begin).toBeLessThan(2_000)
  })
})

it.each([
  ['+(a|b)', 'groups'],
  ['{1..3}', 'several texts'],
  ['{a,b', 'a brace'],
  ['a}{b,c}', 'a brace'],
  ['a'.repeat(1_001), 'longer'],
])('says what is wrong with %s', (pattern, why) => {
  expect(globFault(pattern)).toContain(why)
  expect(() => compileGlob(pattern)).toThrow(RangeError)
})
