import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mayRetry, type RetrySituation } from './retry-policy.ts'

const BROKEN = { kind: 'broken', stale: false, cause: new Error('reset') } as const
const STALE = { ...BROKEN, stale: true }
const REFUSED = { kind: 'refused', refusal: { why: 'connect', cause: new Error('ECONNREFUSED') } } as const
const BASE: RetrySituation = {
  outcome: BROKEN,
  method: 'GET',
  body: 'none',
  idempotencyKey: false,
  attempts: 1,
  most: 3,
  otherInstance: true,
}
const may = (changes: Partial<RetrySituation>) => mayRetry({ ...BASE, ...changes })

describe('mayRetry', () => {
  it.each([
    [true, 'a GET elsewhere', {}],
    [false, 'a GET where it broke', { otherInstance: false }],
    [true, 'a GET that met a closing connection', { outcome: STALE, otherInstance: false }],
    [true, 'a GET that took too long, elsewhere', { outcome: { kind: 'timeout' } }],
    [true, 'a PUT with its body at hand', { method: 'PUT', body: 'held' }],
    [false, 'a PUT whose body has flowed away', { method: 'PUT', body: 'stream' }],
    [false, 'a POST', { method: 'POST', body: 'held' }],
    [false, 'a POST that met a closing connection', { method: 'POST', body: 'held', outcome: STALE }],
    [false, 'a POST that took too long', { method: 'POST', outcome: { kind: 'timeout' } }],
    [true, 'a POST that never got a connection', { method: 'POST', body: 'stream', outcome: REFUSED }],
    [true, 'a POST with an Idempotency-Key', { method: 'POST', body: 'held', idempotencyKey: true }],
    [false, 'a PATCH', { method: 'PATCH', body: 'held' }],
    [false, 'a third failure', { attempts: 3 }],
    [false, 'a first failure where one attempt is all', { most: 1 }],
    [true, 'a third failure where there are more', { attempts: 3, most: 4 }],
    [false, 'what was answered', { outcome: { kind: 'answered', status: 503 } }],
    [false, 'a request whose client left', { outcome: { kind: 'client-gone' } }],
    [false, 'what overload refused', { outcome: { kind: 'refused', refusal: { why: 'overloaded' } } }],
    [false, 'what a caller’s share refused', { outcome: { kind: 'refused', refusal: { why: 'share' } } }],
  ] as const)('%s: %s', (verdict, _, changes) => {
    expect(may(changes)).toBe(verdict)
  })

  it('never repeats a POST or PATCH that an upstream may have seen', () => {
    const situation = fc.record({
      outcome: fc.constantFrom(BROKEN, STALE, { kind: 'timeout' } as const),
      method: fc.constantFrom('POST', 'PATCH'),
      body: fc.constantFrom('none', 'held', 'stream'),
      idempotencyKey: fc.constant(false),
      attempts: fc.integer({ min: 1, max: 5 }),
      most: fc.integer({ min: 1, max: 5 }),
      otherInstance: fc.boolean(),
    })
    fc.assert(
      fc.property(situation, (given) => {
        expect(mayRetry(given)).toBe(false)
      }),
    )
  })
})
