import { expect, it } from 'vitest'
import { type MeasuredUnit, unitTable } from './unit-table.ts'

const SINCE = '2026-01-01T12:00:00.000Z'
const NOW = Date.parse(SINCE) + 90_000
const user: MeasuredUnit = {
  unit: 'user',
  service: 'user-service',
  state: 'ready',
  pid: 7,
  port: 8001,
  restarts: 1,
  since: SINCE,
  cpu: 0.124,
  memory: 96_400_000,
  ended: 'SIGKILL, out of memory',
}
const shop: MeasuredUnit = { unit: 'shop', state: 'starting', doing: 'GET /health answers 503', port: undefined }

it('lists units, and what one is doing that starts', () => {
  expect(unitTable([user, shop], NOW)).toBe(
    [
      'UNIT  SERVICE       STATE     PID  PORT  RESTARTS  CPU  MEMORY  FOR    LAST END',
      'user  user-service  ready     7    8001  1         12%  96 MB   1 min  SIGKILL, out of memory',
      'shop  -             starting  -    -     -         -    -       -',
      '  GET /health answers 503',
    ].join('\n'),
  )
})

it('has no column for why units ended where none has', () => {
  const { ended: _, ...well } = user
  expect(unitTable([well, shop], NOW).split('\n')[0]).toBe(
    'UNIT  SERVICE       STATE     PID  PORT  RESTARTS  CPU  MEMORY  FOR',
  )
})

it('fits into the width: why one ended has a line of its own then', () => {
  const table = unitTable([user, shop], NOW, 80).split('\n')
  expect(table.slice(0, 3)).toEqual([
    'UNIT  SERVICE       STATE     PID  PORT  RESTARTS  CPU  MEMORY  FOR',
    'user  user-service  ready     7    8001  1         12%  96 MB   1 min',
    '  last ended: SIGKILL, out of memory',
  ])
})

const worker: MeasuredUnit = {
  ...user,
  unit: 'nightly-recommendation-mailer-for-returning-customers-2',
  service: 'nightly-recommendation-mailer-for-returning-customers',
  state: 'backing-off',
  doing: 'nobody listens on 127.0.0.1:25069; it should on the port that PORT says',
}

it('leaves out what says least where names are long, and cuts nothing', () => {
  expect(unitTable([user, worker], NOW, 80).split('\n')).toEqual([
    'UNIT  STATE        PID  PORT  RESTARTS  CPU  MEMORY  FOR',
    'user  ready        7    8001  1         12%  96 MB   1 min',
    '  last ended: SIGKILL, out of memory',
    'nightly-recommendation-mailer-for-returning-customers-2',
    '      backing-off  7    8001  1         12%  96 MB   1 min',
    '  nobody listens on 127.0.0.1:25069; it should on the port that PORT says',
    '  last ended: SIGKILL, out of memory',
  ])
  expect(unitTable([worker], NOW, 40).split('\n')).toEqual([
    'UNIT  STATE        PORT  RESTARTS  FOR',
    'nightly-recommendation-mailer-for-retur…',
    '      backing-off  8001  1         1 min',
    '  nobody listens on 127.0.0.1:25069; it',
    '  should on the port that PORT says',
    '  last ended: SIGKILL, out of memory',
  ])
  for (let width = 24; width < 120; width++) {
    const lines = unitTable([user, shop, worker], NOW, width).split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width)
  }
})

it('says when one that has ended starts again, and what is left of its restart budget', () => {
  const down: MeasuredUnit = { unit: 'shop', state: 'backing-off', port: undefined, ends_in_a_row: 3 }
  const next_start = new Date(NOW + 12_900).toISOString()
  const belowOf = (unit: MeasuredUnit) => unitTable([unit], NOW).split('\n').slice(2)
  expect(belowOf({ ...down, next_start })).toEqual(['  starts again in 12 s, after 3 in a row'])
  expect(belowOf({ ...down, next_start, restart_budget: 5 })).toEqual(['  starts again in 12 s, restart 3 of 5'])
  expect(belowOf({ ...down, state: 'failed', restart_budget: 2 })).toEqual(['  its restart budget of 2 is spent'])
  expect(belowOf({ ...down, state: 'failed' })).toEqual([])
  // one that is never restarted has spent nothing
  const { ends_in_a_row: _, ...never } = down
  expect(belowOf({ ...never, state: 'failed', restart_budget: 3 })).toEqual([])
})

it('leaves the services out where they are named as their units', () => {
  expect(unitTable([{ ...shop, service: 'shop' }], NOW)).toMatch(/^UNIT {2}STATE/)
})
