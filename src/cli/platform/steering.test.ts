import { expect, it } from 'vitest'
import { NO_CHANGES } from '../../kit/supervisor/control-protocol.ts'
import { someUnit } from '../../kit/supervisor/testing/some-unit.ts'
import type { UnitReport, UnitState } from '../../kit/supervisor/unit-state.ts'
import { createSteering, type SteeringOptions } from './steering.ts'

const never = new AbortController().signal
const ready = { at: 'ready', pid: 1, service: 'shop', instance: 'shop/1' } as const

/** Steers units that stand like this; `asked`: what was asked of the supervision. */
function steeringOf(states: Readonly<Record<string, UnitState>>) {
  const asked: string[] = []
  const reports = Object.entries(states).map(
    ([name, state]): UnitReport => ({ unit: someUnit(name), state, restarts: 0, since: 0 }),
  )
  const supervision: SteeringOptions['supervision'] = {
    reports: () => reports,
    start: async (names) => void asked.push(`start ${names}`),
    halt: async (names) => void asked.push(`halt ${names}`),
    restart: async () => {},
    apply: async () => NO_CHANGES,
    settle: async () => {},
  }
  const steering = createSteering({
    supervision,
    wish: { scale: new Map(), portOffset: 0 },
    plan: () => expect.fail('it is planned anew'),
    down: () => expect.fail('it goes down'),
  })
  return { steering, asked }
}

it('starts what does not run, and says of the rest that it runs already', async () => {
  const { steering, asked } = steeringOf({ shop: ready, mail: { at: 'stopped' } })
  expect(await steering.steer({ do: 'start', units: ['shop', 'mail'] }, never)).toEqual({
    ...NO_CHANGES,
    started: ['mail'],
    notes: ['shop runs already'],
  })
  expect(asked).toEqual(['start shop,mail'])
})

it('stops what is not stopped, and says of the rest that it is already', async () => {
  const { steering, asked } = steeringOf({ shop: ready, mail: { at: 'stopped' }, job: { at: 'finished' } })
  expect(await steering.steer({ do: 'halt', units: ['shop', 'mail', 'job'] }, never)).toEqual({
    ...NO_CHANGES,
    stopped: ['shop', 'job'],
    notes: ['mail is stopped already'],
  })
  expect(asked).toEqual(['halt shop,mail,job'])
})
