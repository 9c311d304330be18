import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSuspicious } from './suspicious.ts'

describe('isSuspicious', () => {
  it.each([
    '018f2f4e-7a6b-7c3d-9e4f-0123456789ab',
    'POST /broker/publish/:topic 202',
    'order.created',
    'user ready at http://localhost:3001',
    'ann@example.com has ordered',
    '192.168.117.204',
    'WARN 4711 --- [main] c.e.Mill : low',
    '-----',
    '',
  ])('knows that %s holds nothing', (text) => {
    expect(isSuspicious(text)).toBe(false)
  })

  it.each(['PW', 'pwd', 'Key', '--a', '--Zed', '</a', '://a:b@', 'sk-', 'otp', 'Pass', 'eyJ', 'basic x', 'Connection'])(
    'sees %s whatever stands around it',
    (mark) => {
      const utf16 = fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units))
      fc.assert(fc.property(utf16, utf16, (before, after) => isSuspicious(`${before}${mark}${after}`)))
    },
  )
})
