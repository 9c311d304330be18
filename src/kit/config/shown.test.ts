import { expect, it } from 'vitest'
import { shown } from './shown.ts'

it('quotes a value shortly, on one line, without secrets', () => {
  expect(shown('a\nb')).toBe('"a\\nb"')
  expect(shown('http://ann:pw@host')).toBe('"http://[hidden]@host"')
  expect(shown({ user: 'ann', passwd: 'pw' })).toBe('{"user":"ann","passwd":"[hidden]"}')
  expect(shown('x'.repeat(100))).toHaveLength(60)
  expect(shown(undefined)).toBe('undefined')
})
