import { describe, expect, it } from 'vitest'
import { behindPart, behindRole } from './part-words.ts'

describe('what a driver says', () => {
  it.for([
    ['cache', 'cache: redis://cache is not ready', 'redis://cache is not ready'],
    ['store', 'store: a # stands in it', 'a # stands in it'],
    ['store', 'order-service store: its server went away', 'its server went away'],
    ['store_writes', 'order-service store: the disk is full', 'the disk is full'],
    ['bus', 'NATS: no answer in time', 'NATS: no answer in time'],
    ['bus', 'order-service store: its server went away', 'order-service store: its server went away'],
    ['store', 'the order-service store: no', 'the order-service store: no'],
  ] as const)('stands behind %s as what it is about, without the name: %s', ([part, said, told]) => {
    expect(behindPart(part, said)).toBe(told)
  })

  it('stands behind a role with its part, and without the service that the role is', () => {
    expect(behindRole('order-service store: its server went away')).toBe('store: its server went away')
    expect(behindRole('bus: it is closed')).toBe('bus: it is closed')
    expect(behindRole('port 8001 on 127.0.0.1 is taken')).toBe('port 8001 on 127.0.0.1 is taken')
  })
})
