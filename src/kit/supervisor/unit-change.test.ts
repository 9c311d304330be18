import { describe, expect, it } from 'vitest'
import { someUnit } from './testing/some-unit.ts'
import type { Unit } from './unit.ts'
import { changeover } from './unit-change.ts'

function unit(more: Partial<Unit> = {}): Unit {
  return someUnit('shop', { definition: 'node shop.js', ...more })
}

const USER = { USER_URL: 'http://127.0.0.1:8001' }

describe('a unit that is planned anew', () => {
  it.each([
    ['stays when it is the same', {}, {}, 'none'],
    ['is restarted when it is run otherwise', {}, { definition: 'node till.js' }, 'restart'],
    ['is reloaded when what it can be told has changed', { reloadable: 'a' }, { reloadable: 'b' }, 'reload'],
    ['is reloaded when there is something to tell at last', {}, { reloadable: 'b' }, 'reload'],
    ['is restarted when both have changed', {}, { reloadable: 'b', definition: 'x' }, 'restart'],
    ['stays when somebody comes', {}, { addresses: USER }, 'none'],
    ['stays when somebody goes', { addresses: USER }, {}, 'none'],
    ['is restarted when somebody has moved', { addresses: USER }, { addresses: { USER_URL: 'http://b' } }, 'restart'],
  ] as const)('%s', (_, was, next, by) => {
    expect(changeover(unit(was), unit(next))).toBe(by)
  })
})
