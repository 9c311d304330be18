import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ackToken, parseAckToken } from './ack-token.ts'

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })

it('reads what it wrote', () => {
  fc.assert(
    fc.property(whole, whole, whole, (subscription, position, attempt) => {
      const token = { subscription, position, attempt }
      expect(parseAckToken(ackToken(token))).toEqual(token)
    }),
  )
})

it('takes nothing else for a token', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const token = parseAckToken(text)
      if (token !== undefined) expect(parseAckToken(ackToken(token))).toEqual(token)
    }),
  )
  expect(parseAckToken('1-2')).toBeUndefined()
  expect(parseAckToken("1-2-3' OR 1=1")).toBeUndefined()
})
