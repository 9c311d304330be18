import { expect, it } from 'vitest'
import { parseDuration } from './duration.ts'

it.each([
  ['30', 30],
  ['30s', 30],
  ['1.5h', 5_400],
  ['500ms', 0.5],
  ['5m', 300],
  ['7d', 604_800],
])('reads %s as %d seconds', (text, seconds) => {
  expect(parseDuration('--delay', text)).toBe(seconds)
})

it.each(['', 's', '-1s', '1w', '1 s', '1e3', 'soon'])('refuses "%s"', (text) => {
  expect(() => parseDuration('--delay', text)).toThrow('--delay wants a length of time such as 30s, 5m, 2h or 7d')
})
