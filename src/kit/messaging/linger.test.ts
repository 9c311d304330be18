import { expect, it } from 'vitest'
import { linger } from './linger.ts'

it('grows with what there is to do, up to 20 ms', () => {
  expect([0, 1, 5, 10, 500].map(linger)).toEqual([0, 2, 10, 20, 20])
})
