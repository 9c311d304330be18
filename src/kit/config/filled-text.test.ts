import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fillText, MissingVariable, wantedBy } from './filled-text.ts'

it('fills in what is set, and a default where it is not', () => {
  const variables = { HOST: 'db', EMPTY: '' }
  expect(fillText('http://${HOST}:${PORT:-5432}/${NAME:-}', variables)).toBe('http://db:5432/')
  expect(fillText('${EMPTY}-${EMPTY:-full}', variables)).toBe('-full')
})

it('leaves a dollar alone that begins no variable, and takes two for one', () => {
  expect(fillText('$HOST $ ${1} ${} $$ $${HOST}', { HOST: 'db' })).toBe('$HOST $ ${1} ${} $ ${HOST}')
})

it('does not look at what was filled in', () => {
  expect(fillText('${A}', { A: '${B}' })).toBe('${B}')
})

it('names the variable that is missing', () => {
  expect(() => fillText('x${STRIPE_KEY}', {})).toThrow(MissingVariable)
  expect(() => fillText('x${STRIPE_KEY}', {})).toThrow('${STRIPE_KEY} is not set')
})

it('tells what a text wants, and whether it does without', () => {
  expect(wantedBy('${A}:${B:-x} $$ $C ${D:-}')).toEqual([
    { name: 'A', hasDefault: false },
    { name: 'B', hasDefault: true },
    { name: 'D', hasDefault: true },
  ])
})

it('gives back any text whose dollars are doubled', () => {
  fc.assert(fc.property(fc.string(), (text) => fillText(text.replaceAll('$', '$$$$'), {}) === text))
})
