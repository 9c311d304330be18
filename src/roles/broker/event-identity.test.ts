import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { busId, eventId } from './event-identity.ts'

describe('busId', () => {
  it('lets the event have its own id back', () => {
    const text = fc.string({ minLength: 1 })
    const id = fc.oneof(text, fc.uuid(), fc.constant('a /shop'))
    fc.assert(
      fc.property(
        id,
        fc.oneof(text, fc.constant('/shop')),
        fc.option(text, { nil: undefined }),
        (given, source, owner) => {
          expect(eventId({ id: busId(given, { source, owner }), attributes: { source } })).toBe(given)
        },
      ),
    )
  })

  it('tells the events of two sources apart', () => {
    expect(busId('1', { source: '/a' })).not.toBe(busId('1', { source: '/b' }))
  })

  it('tells the messages of two publishers apart, whatever their ids', () => {
    for (const id of ['1', randomUUID()]) {
      expect(busId(id, { source: '/a', owner: 'a' })).not.toBe(busId(id, { source: '/a', owner: 'b' }))
    }
  })

  it('leaves a UUID as it is', () => {
    const id = randomUUID()
    expect(busId(id, { source: '/a' })).toBe(id)
  })

  it('leaves the id of a message without source as it is', () => {
    expect(eventId({ id: '1 /a', attributes: {} })).toBe('1 /a')
  })
})
