import { expect, it } from 'vitest'
import { recordedLog } from '../telemetry/testing/recorded-log.ts'
import { clockAhead, createClockWatch } from './other-clock.ts'

const NOW = Date.parse('2026-05-01T12:00:00.700Z')
const ASKED = { sent: NOW, came: NOW + 400 }
const dated = (ms: number) => new Date(NOW + ms).toUTCString()

it.each([
  ['the same second', 0, 0],
  ['a second that just began', 300, 0],
  ['an hour ahead', 3_600_000, 3_598_900],
  ['an hour behind', -3_600_000, -3_599_700],
])('tells by how much another clock is ahead at least: %s', (_, ms, ahead) => {
  expect(clockAhead(dated(ms), ASKED)).toBe(ahead)
})

it('knows nothing by what is no date', () => {
  expect([clockAhead(null, ASKED), clockAhead('soon', ASKED)]).toEqual([undefined, undefined])
})

it('says once that the clocks are apart, and once that they are not any more', () => {
  const log = recordedLog()
  const hear = createClockWatch(log, 'the registry')
  for (const ms of [0, 29_000, 60_000, 61_000, 0, 0, -60_000]) hear(dated(ms), ASKED)
  hear(null, ASKED)
  expect(log.lines).toEqual([
    expect.stringMatching(/^WARNING this machine's clock is 59 s behind that of the registry: .*\(NTP\)/),
    expect.stringMatching(/^INFO this machine's clock goes with that of the registry again/),
    expect.stringMatching(/^WARNING this machine's clock is 60 s ahead of that of the registry/),
  ])
})
