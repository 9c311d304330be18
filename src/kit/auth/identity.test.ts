import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { identityFromHeaders, identityHeaders, USER_ID_HEADER, USER_SCOPES_HEADER } from './identity.ts'

describe('identity headers', () => {
  it('carry any subject and any scopes, and hold nothing but visible ASCII', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(name, fc.uniqueArray(name), (subject, scopes) => {
        const headers = identityHeaders({ subject, scopes: new Set(scopes), service: false })
        const { [USER_ID_HEADER]: id = '', [USER_SCOPES_HEADER]: list = '' } = headers
        expect(id).toMatch(/^[!-~]+$/)
        expect(list).toMatch(/^[ -~]*$/)
        expect(identityFromHeaders(id, list)).toEqual({ subject, scopes: new Set(scopes), service: false })
      }),
    )
  })

  it('leave ordinary names as they are', () => {
    const identity = { subject: 'alice@example.com', scopes: new Set(['orders:write', 'admin']), service: false }
    expect(identityHeaders(identity)).toEqual({
      'x-user-id': 'alice@example.com',
      'x-user-scopes': 'orders:write admin',
    })
  })

  it.each([undefined, '', '%', '%ff'])('make nobody of %s', (id) => {
    expect(identityFromHeaders(id, 'admin')).toBeUndefined()
  })

  it('drop a scope that can’t be decoded', () => {
    expect(identityFromHeaders('alice', 'a  %zz b')?.scopes).toEqual(new Set(['a', 'b']))
  })
})
