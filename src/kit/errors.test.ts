import { describe, expect, it } from 'vitest'
import { DriverError } from '../drivers/driver-error.ts'
import { AppError, CODES, isErrorCode, toAppError } from './errors.ts'

const codes = Object.keys(CODES).filter(isErrorCode)

describe('an AppError', () => {
  it.each(codes)('that is %s says when to come again where its status is 429 or 503', (code) => {
    const again = [429, 503].includes(CODES[code]) ? '1' : undefined
    expect(new AppError(code, 'no').headers['retry-after']).toBe(again)
    expect(new AppError(code, 'no', { headers: { 'retry-after': '7' } }).headers).toEqual({ 'retry-after': '7' })
  })

  it.each([
    ['unavailable', undefined, '1'],
    ['closed', undefined, '1'],
    ['too-many', undefined, '60'],
    ['too-many', 3_600, '3600'],
    ['full', undefined, undefined],
    ['conflict', undefined, undefined],
  ] as const)('of a driver’s failure that is %s, worth trying after %s s, says %s', (kind, retryAfterS, said) => {
    const fault = new DriverError(kind, 'no', retryAfterS === undefined ? {} : { retryAfterS })
    expect(toAppError(fault).headers['retry-after']).toBe(said)
  })
})
