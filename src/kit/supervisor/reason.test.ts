import { spawnSync } from 'node:child_process'
import { validateHeaderName } from 'node:http'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { DriverError } from '../../drivers/driver-error.ts'
import { AppError } from '../errors.ts'
import { endOfRun, reasonOf, startFailure } from './reason.ts'

const REFUSED = 'order-service store: PostgreSQL at db:5432: it refuses the password'

describe('what a person is told of a role', () => {
  it('names the role, and its part once, however it comes: from a driver here, or from a process of the role', () => {
    const told = 'order: store: PostgreSQL at db:5432: it refuses the password'
    expect(startFailure('order', new DriverError('invalid', REFUSED))).toMatchObject({
      code: 'START_FAILED',
      message: told,
    })
    expect(startFailure('order', new AppError('CONFIG_INVALID', REFUSED))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: told,
    })
    expect(endOfRun('order', new DriverError('unavailable', REFUSED))).toMatchObject({
      code: 'UNAVAILABLE',
      message: told,
    })
    expect(endOfRun('broker', new DriverError('unavailable', 'bus.db was removed'))).toMatchObject({
      message: 'broker: bus.db was removed',
    })
  })

  it('quotes no value that a fault was about', () => {
    const faultOf = (act: () => unknown) => {
      try {
        return act()
      } catch (fault) {
        return reasonOf(fault)
      }
    }
    expect(faultOf(() => spawnSync('true', { env: { API_KEY: 'hunter2\0' } }))).toBe(
      'unexpected TypeError (ERR_INVALID_ARG_VALUE)',
    )
    expect(faultOf(() => validateHeaderName('hunter 2'))).toBe('unexpected TypeError (ERR_INVALID_HTTP_TOKEN)')
    expect(faultOf(() => JSON.parse('hunter2'))).toBe('unexpected SyntaxError')
    expect(reasonOf(new TypeError('x is not a function\nmore'))).toBe('unexpected TypeError: x is not a function')
  })
})

it('says what is wrong with a value that does not hold', () => {
  const { error } = z.object({ doors: z.array(z.string()).max(1) }).safeParse({ doors: ['a', 'b'] })
  expect(startFailure('outbound', error).message).toBe('outbound: doors: Too big: expected array to have <=1 items')
})
