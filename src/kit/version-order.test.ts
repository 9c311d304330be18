import { expect, it } from 'vitest'
import { isNewer } from './version-order.ts'

it.each([
  ['0.2.0', '0.1.9', true],
  ['0.10.0', '0.9.0', true],
  ['1.0.0', '1.0.0', false],
  ['0.1.0', '0.2.0-dev', false],
  ['0.2.0', '0.2.0-dev', true],
  ['0.2.0-dev', '0.2.0', false],
  ['0.2.0-dev', '0.2.0-rc.1', false],
  ['0.2.0-dev', '0.1.0', true],
])('%s newer than %s: %s', (version, than, expected) => {
  expect(isNewer(version, than)).toBe(expected)
})
