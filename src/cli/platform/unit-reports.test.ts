import { expect, it } from 'vitest'
import { someUnit } from '../../kit/supervisor/testing/some-unit.ts'
import type { UnitChange, UnitState } from '../../kit/supervisor/unit-state.ts'
import { createMessages } from '../terminal/messages.ts'
import { knownUnits, portlessUnits, tellChange, unitRows, unreadyUnits } from './unit-reports.ts'

const started = {
  service: 'user-service',
  instance: 'i',
  url: 'http://127.0.0.1:8001',
  advertised: 'http://10.0.0.5:8001',
}
const units = [{ name: 'user-2', replicaOf: 'user' }]
const unit = { unit: 'user-2', role: 'user', service: 'user-service', url: 'http://127.0.0.1:8001' }

const testUnit = someUnit('user')

it('lists what was ready once, and how it is now', () => {
  const states = new Map<string, UnitState>([['user-2', { at: 'ready', pid: 7, ...started }]])
  expect(knownUnits(units, states)).toEqual([{ ...unit, state: 'ready', pid: 7 }])
  states.set('user-2', { at: 'silent', pid: 7, ...started })
  expect(knownUnits(units, states)).toEqual([{ ...unit, state: 'silent', pid: 7 }])
  states.set('user-2', { at: 'backing-off', delayMs: 100, inARow: 1, why: 'SIGKILL', last: started })
  expect(knownUnits(units, states)).toEqual([{ ...unit, state: 'down' }])
  states.set('user-2', { at: 'starting', last: started })
  expect(knownUnits(units, states)).toEqual([{ ...unit, state: 'down' }])
  states.set('user-2', { at: 'starting' })
  expect(knownUnits(units, states)).toEqual([])
})

it('lists what listens nowhere, and what has ended for good', () => {
  const { url: _, advertised: __, ...worker } = started
  const stateOf = (state: UnitState) => portlessUnits([{ name: 'mailer' }], new Map([['mailer', state]]))
  const row = { unit: 'mailer', service: 'user-service' }
  expect(stateOf({ at: 'ready', pid: 7, ...worker })).toEqual([{ ...row, state: 'ready', pid: 7 }])
  expect(stateOf({ at: 'silent', pid: 7, ...worker })).toEqual([{ ...row, state: 'silent', pid: 7 }])
  expect(stateOf({ at: 'backing-off', delayMs: 9, inARow: 8, why: 'exit code 3', last: worker })).toEqual([
    { ...row, state: 'down' },
  ])
  expect(stateOf({ at: 'starting', last: worker })).toEqual([{ ...row, state: 'down' }])
  expect(stateOf({ at: 'failed', why: 'exit code 3' })).toEqual([{ unit: 'mailer', state: 'failed' }])
  expect(stateOf({ at: 'finished' })).toEqual([{ unit: 'mailer', state: 'finished' }])
  for (const other of [{ at: 'stopped' }, { at: 'starting' }, { at: 'ready', pid: 7, ...started }] as const)
    expect(stateOf(other)).toEqual([])
})

it('knows a unit whose own name ends in a number from a replica', () => {
  const states = new Map<string, UnitState>([['worker-2', { at: 'ready', pid: 7, ...started }]])
  expect(knownUnits([{ name: 'worker-2', replicaOf: 'worker-2' }], states)).toMatchObject([{ role: 'worker-2' }])
})

it('names what was never ready', () => {
  const states = new Map<string, UnitState>([
    ['registry', { at: 'ready', pid: 7, ...started }],
    ['broker', { at: 'starting', last: started }],
    ['user', { at: 'starting' }],
    ['order', { at: 'waiting' }],
    ['payment', { at: 'backing-off', delayMs: 100, inARow: 1, why: 'exit code 1' }],
    ['gateway', { at: 'stopped' }],
  ])
  expect(unreadyUnits(states)).toEqual(['user', 'order', 'payment'])
})

it('tells other commands of each, also of what listens nowhere', () => {
  const report = { unit: testUnit, restarts: 0, since: 0 }
  const row = { state: 'ready', words: 'ready', restarts: 0, since: '1970-01-01T00:00:00.000Z' }
  const { url: _, ...listensNowhere } = started
  expect(
    unitRows([
      { ...report, state: { at: 'ready', pid: 7, ...started } },
      { ...report, unit: { ...testUnit, name: 'worker' }, state: { at: 'ready', pid: 8, ...listensNowhere } },
      { ...report, unit: { ...testUnit, name: 'shop' }, state: { at: 'failed', why: 'exit code 1' } },
    ]),
  ).toEqual([
    { ...row, unit: 'user', service: 'user-service', url: 'http://127.0.0.1:8001', pid: 7 },
    { ...row, unit: 'worker', service: 'user-service', pid: 8 },
    { ...row, unit: 'shop', state: 'failed', words: 'failed: exit code 1' },
  ])
})

it('says that a role gives no sign of life, and that it is back', () => {
  let said = ''
  const write = (text: string) => {
    said += text
  }
  const terminal = { isTTY: false, colour: false, columns: 80, rows: 24, write }
  const tell = (change: Pick<UnitChange, 'state' | 'was'>) =>
    tellChange({ unit: testUnit, life: 1, endsInARow: 0, ...change }, createMessages(terminal, false), true)
  tell({ state: { at: 'silent', pid: 7, ...started }, was: 'ready' })
  tell({ state: { at: 'ready', pid: 7, ...started }, was: 'silent' })
  expect(said).toMatch(
    /user gives no sign of life \(process 7\); after 30 s \(liveness_seconds\) it is ended and started again\n.*user answers again \(process 7\)\n/,
  )
})

it('tells of a loop of ends by its first ones and now and then', () => {
  let said = ''
  const write = (text: string) => {
    said += text
  }
  const messages = createMessages({ isTTY: false, colour: false, columns: 80, rows: 24, write }, false)
  const unit = { ...testUnit, restartBudget: 20 }
  for (let inARow = 1; inARow <= 20; inARow++) {
    const state: UnitState = { at: 'backing-off', delayMs: 100, inARow, why: 'exit code 1' }
    tellChange(
      { unit, life: inARow, endsInARow: inARow, state, was: inARow === 1 ? 'ready' : 'starting' },
      messages,
      true,
    )
  }
  tellChange(
    { unit, life: 21, endsInARow: 21, state: { at: 'failed', why: 'exit code 1', inARow: 21 }, was: 'starting' },
    messages,
    true,
  )
  expect(said.trim().split('\n')).toEqual([
    'warning: user ended (exit code 1); it starts again in 0.1 s',
    ...[2, 5, 10, 20].map(
      (times) => `warning: user did not start (exit code 1), ${times} times in a row; it starts again in 0.1 s`,
    ),
    'error: user ended (exit code 1), and is not started again: its restart budget of 20 is spent',
  ])
})

it('tells of one that gets ready for the first time only once the platform was', () => {
  let said = ''
  const write = (text: string) => {
    said += text
  }
  const terminal = { isTTY: false, colour: false, columns: 80, rows: 24, write }
  const change: UnitChange = {
    unit: testUnit,
    life: 1,
    endsInARow: 0,
    state: { at: 'ready', pid: 7, ...started },
    was: 'starting',
  }
  tellChange(change, createMessages(terminal, false), false)
  expect(said).toBe('')
  tellChange(change, createMessages(terminal, false), true)
  expect(said).toBe('ok: user is ready at http://127.0.0.1:8001 (process 7)\n')
})
