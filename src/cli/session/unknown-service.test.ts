import { expect, it } from 'vitest'
import { RunState } from './run-state.ts'
import { unknownService } from './unknown-service.ts'

const unit = { state: 'ready', url: 'http://127.0.0.1:1' } as const
const state = RunState.parse({
  ...{ pid: 1, environment: 'test', auth: { mode: 'local', issuer: 'msvc' } },
  roles: [
    { ...unit, unit: 'user', role: 'user', service: 'user-service' },
    { ...unit, unit: 'shop', role: 'shop', service: 'shop' },
    { ...unit, unit: 'shop-2', role: 'shop', service: 'shop' },
  ],
  units: ['user', 'shop', 'shop-2', 'worker'],
})
const known = { roles: [], own: {}, running: [state] }

it.each(['user-service', 'shop', 'worker'])('knows %s', (name) => {
  expect(unknownService(name, known)).toBeUndefined()
})

it.each([
  ['shopp', '; did you mean shop?'],
  ['shop-2', '; did you mean shop?'],
  ['user', '; did you mean user-service?'],
  ['something', ''],
])('names for %s what may be meant', (name, hint) => {
  expect(unknownService(name, known)).toBe(`there is no service ${name}${hint}`)
})
