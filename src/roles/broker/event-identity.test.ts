import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { busId, eventId } from './event-identity.ts'

describe('busId', () => {
  it('lets the event have its own id back', () => {
    const id = fc.oneof(fc.string({ minLength: 1 }), fc.uuid(), fc.constant('a /shop'))
    fc.assert(
      fc.property(id, fc.oneof(fc.string({ minLength: 1 }), fc.constant('/shop')), (given, source) => {
        expect(eventId({ id: busId(given, source), attributes: { source } })).toBe(given)
      }),
    )
  })

  it('tells the events of two sources apart', () => {
    expect(busId('1', '/a')).not.toBe(busId('1', '/b'))
  })

  it('leaves a UUID as it is', () => {
    const id = randomUUID()
    expect(busId(id, '/a')).toBe(id)
  })

  it('leaves the id of a message without source as it is', () => {
    expect(eventId({ id: '1 /a', attributes: {} })).toBe('1 /a')
  })
})
