import { expect, it } from 'vitest'
import { createLimit } from './limit.ts'

it.each([
  [undefined, 1_000],
  [20, 2_000],
  [-5, 1_000],
  [0.001, 1_000],
  ['20', 1_000],
])('goes by the config server’s limit where it is an amount: %j', (value, cents) => {
  expect(createLimit({ limit: 10 }, { get: () => value })()).toBe(cents)
})
