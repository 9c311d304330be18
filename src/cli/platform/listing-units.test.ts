import { expect, it } from 'vitest'
import { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { told } from './listing-units.ts'

const NONE = new Map<number, never>()

it('tells programs all that a platform says of a unit, null where that is nothing', () => {
  const row = {
    unit: 'shop',
    state: 'backing-off' as const,
    words: 'failed: exit code 3; again in 0.8 s',
    ends_in_a_row: 2,
    restart_budget: 5,
    next_start: '2026-01-01T12:00:00.800Z',
  }
  expect(told(row, NONE)).toMatchObject({ ...row, service: null, doing: null, port: null })
  expect(told({ unit: 'user', state: 'ready' }, NONE)).toMatchObject({
    words: null,
    ends_in_a_row: null,
    restart_budget: null,
    next_start: null,
    routes: null,
  })
  expect(Object.keys(told(row, NONE))).toEqual(expect.arrayContaining(Object.keys(UnitRow.shape)))
})
