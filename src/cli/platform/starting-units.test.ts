import { expect, it } from 'vitest'
import { someUnit } from '../../kit/supervisor/testing/some-unit.ts'
import type { Unit } from '../../kit/supervisor/unit.ts'
import type { UnitState } from '../../kit/supervisor/unit-state.ts'
import { createStartTimes, startingUnits } from './starting-units.ts'

const unit = (name: string, needs: readonly string[] = []) =>
  someUnit(name, { replicaOf: name.replace(/-\d$/, ''), needs })
const report = (of: Unit, state: UnitState, ended?: string) => ({
  unit: of,
  state,
  restarts: 0,
  since: 0,
  ...(ended !== undefined && { ended }),
})
const ready: UnitState = { at: 'ready', pid: 7, service: 's', instance: 'i' }

it('says what each is about', () => {
  const lines = startingUnits(
    [
      report(unit('registry'), ready),
      report(unit('user'), { at: 'starting' }),
      report(unit('order', ['registry', 'user']), { at: 'waiting' }),
      report(unit('payment', ['registry']), { at: 'waiting' }),
      report(unit('shop'), { at: 'starting', pid: 8, doing: 'GET /health answers 503' }, 'exit code 1'),
      report(unit('catalog'), { at: 'backing-off', delayMs: 400, inARow: 3, why: 'exit code 3' }),
      report(unit('migrate'), { at: 'finished' }),
      report(unit('import'), { at: 'failed', why: 'exit code 1' }),
    ],
    { of: (name) => (name === 'registry' ? 40 : undefined) },
  )
  expect(lines.map(({ name, is, words }) => `${name} ${is}: ${words}`)).toEqual([
    'registry ready: ready in 40 ms',
    'user busy: starting',
    'order waiting: waiting for user',
    'payment waiting: starting',
    'shop busy: GET /health answers 503 (again: exit code 1)',
    'catalog failed: failed: exit code 3; again in 0.4 s (3 times in a row)',
    'migrate done: done',
    'import failed: failed: exit code 1',
  ])
})

it('waits for every replica of what is needed', () => {
  const reports = [report(unit('shop'), ready), report(unit('shop-2'), { at: 'starting' })]
  expect(startingUnits([...reports, report(unit('web', ['shop']), { at: 'waiting' })]).at(-1)).toMatchObject({
    words: 'waiting for shop',
  })
})

it('measures from the start to ready, anew for each life', () => {
  let now = 0
  const times = createStartTimes(() => now)
  const at = (ms: number, state: UnitState) => {
    now = ms
    times.note({ unit: unit('shop'), state })
  }
  at(100, { at: 'waiting' })
  at(1_000, { at: 'starting' })
  at(1_500, { at: 'starting', doing: 'building' })
  expect(times.of('shop')).toBeUndefined()
  at(1_700, ready)
  expect(times.of('shop')).toBe(700)
  at(2_000, { at: 'backing-off', delayMs: 100, inARow: 1, why: 'SIGKILL' })
  at(2_100, { at: 'starting' })
  at(2_140, ready)
  expect(times.of('shop')).toBe(40)
})
