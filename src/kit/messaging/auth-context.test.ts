import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LOCAL, NOBODY } from '../auth/asker.ts'
import { authContext, personIn } from './auth-context.ts'

describe('the auth context of an event', () => {
  it('carries any person’s name as an attribute may hold it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 16 }), (subject) => {
        const attributes = authContext({ is: 'user', subject, scopes: new Set() })
        expect(attributes.authid).toMatch(/^[!-~]+$/)
        expect(personIn(attributes)).toBe(subject.toWellFormed())
      }),
      { numRuns: 50 },
    )
  })

  it.each([LOCAL, NOBODY, undefined, { is: 'service', subject: 'shop-service', scopes: new Set<string>() } as const])(
    'says nothing of %j',
    (asker) => {
      expect(authContext(asker)).toEqual({})
    },
  )

  it.each([
    {},
    { authid: 'alice' },
    { authtype: 'service_account', authid: 'a' },
    { authtype: 'app_user' },
    { authtype: 'app_user', authid: '%zz' },
  ])('finds no person in %j', (attributes) => {
    expect(personIn(attributes)).toBeNull()
  })
})
