import { expect, it } from 'vitest'
import { ConnectTimeout, failureVerdict } from './unreachable.ts'

const coded = (code: string) => Object.assign(new Error(code), { code })

it.each([
  ['nobody answered in time', new ConnectTimeout(2_000), 'unreachable'],
  ['the system gave up asking', coded('EHOSTUNREACH'), 'unreachable'],
  ['another error was caused by that', new Error('it failed', { cause: coded('ETIMEDOUT') }), 'unreachable'],
  ['a machine refused', coded('ECONNREFUSED'), 'failure'],
  ['a connection broke', coded('ECONNRESET'), 'failure'],
  ['there is no error', undefined, 'failure'],
])('where %s', (_, thrown, verdict) => {
  expect(failureVerdict(thrown)).toBe(verdict)
})
