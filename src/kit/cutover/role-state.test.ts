import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leaseLeft, type RoleEvent, type RoleState, roleAfter } from './role-state.ts'

const to = { data: '/data', store: 'postgres://db/shop', bus: 'embedded:', cache: 'memory:' }
const cutover = { id: 'one', to, leaseMs: 3_000 }

/** The states after events, each of which must be possible. */
function stateAfter(...events: readonly RoleEvent[]): RoleState {
  return events.reduce<RoleState>(
    (state, event) => roleAfter(state, event) ?? expect.fail(`no ${event.what} while ${state.at}`),
    { at: 'serving' },
  )
}

const hold: RoleEvent = { what: 'hold', cutover, now: 100 }

describe('a role in a cutover', () => {
  it('is held, and begins on either side', () => {
    for (const on of ['old', 'new'] as const) {
      const begin: RoleEvent = { what: 'begin', id: 'one', on }
      expect(stateAfter(hold, { what: 'ended' })).toEqual({ at: 'held', cutover, since: 100 })
      expect(stateAfter(hold, { what: 'ended' }, begin)).toEqual({ at: 'beginning', cutover, on })
      expect(stateAfter(hold, { what: 'ended' }, begin, { what: 'begun' })).toEqual({ at: 'serving' })
      expect(stateAfter(hold, { what: 'ended' }, begin, { what: 'failed' })).toEqual({ at: 'failed' })
    }
  })

  it('goes on when it can not be held', () => {
    expect(stateAfter(hold, { what: 'kept' })).toEqual({ at: 'serving' })
  })

  it('listens to no other cutover', () => {
    const held = stateAfter(hold, { what: 'ended' })
    expect(roleAfter(held, { what: 'begin', id: 'two', on: 'new' })).toBe(undefined)
    expect(roleAfter(held, { ...hold, cutover: { ...cutover, id: 'two' } })).toBe(undefined)
  })

  it('has a lease while it is held', () => {
    const held = stateAfter(hold, { what: 'ended' })
    expect(leaseLeft(held, 100)).toBe(3_000)
    expect(leaseLeft(held, 2_000)).toBe(1_100)
    expect(leaseLeft(held, 9_000)).toBe(0)
    expect(leaseLeft({ at: 'serving' }, 0)).toBe(undefined)
  })

  it('never serves on new places without having been held', () => {
    const event: fc.Arbitrary<RoleEvent> = fc.oneof(
      fc.constant(hold),
      fc.constantFrom<RoleEvent>({ what: 'ended' }, { what: 'kept' }, { what: 'begun' }, { what: 'failed' }),
      fc.record({
        what: fc.constant('begin' as const),
        id: fc.constantFrom('one', 'two'),
        on: fc.constantFrom('old' as const, 'new' as const),
      }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        let state: RoleState = { at: 'serving' }
        for (const one of events) {
          const next: RoleState | undefined = roleAfter(state, one)
          if (next?.at === 'beginning') expect(state.at).toBe('held')
          if (next?.at === 'held') expect(state.at).toBe('holding')
          if (state.at === 'failed') expect(next).toBe(undefined)
          state = next ?? state
        }
      }),
    )
  })
})
