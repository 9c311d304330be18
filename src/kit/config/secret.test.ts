import { expect, it } from 'vitest'
import { hideSecrets, shown } from './secret.ts'

it('hides what opens doors, wherever it stands', () => {
  const settings = {
    store: 'postgres://ann:hunter2@db/x',
    nested: [{ api_key: 'abc', token: 'abc', password: '' }],
    telemetry: { tokens_per_second: 5 },
  }
  expect(hideSecrets(settings)).toEqual({
    store: 'postgres://ann:***@db/x',
    nested: [{ api_key: '***', token: '***', password: '' }],
    telemetry: { tokens_per_second: 5 },
  })
})

it('quotes a value shortly, on one line, without credentials', () => {
  expect(shown('a\nb')).toBe('"a\\nb"')
  expect(shown('http://ann:pw@host')).toBe('"http://ann:***@host"')
  expect(shown('x'.repeat(100))).toHaveLength(60)
  expect(shown(undefined)).toBe('undefined')
})
