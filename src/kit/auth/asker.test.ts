import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Asker,
  askerFromHeaders,
  askerHeaders,
  CALLER_HEADER,
  LOCAL,
  NOBODY,
  USER_ID_HEADER,
  USER_SCOPES_HEADER,
} from './asker.ts'

const read = (headers: Readonly<Record<string, string | undefined>>) => askerFromHeaders((name) => headers[name])
const word = (kind: string | undefined, id: string | undefined, scopes?: string) =>
  read({ [CALLER_HEADER]: kind, [USER_ID_HEADER]: id, [USER_SCOPES_HEADER]: scopes })

describe("an asker's headers", () => {
  it('carry any subject and any scopes, and hold nothing but visible ASCII', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 16 })
    fc.assert(
      fc.property(fc.constantFrom('user', 'service'), name, fc.uniqueArray(name), (is, subject, scopes) => {
        const headers = askerHeaders({ is, subject, scopes: new Set(scopes) })
        const { [USER_ID_HEADER]: id = '', [USER_SCOPES_HEADER]: list = '' } = headers
        expect(id).toMatch(/^[!-~]+$/)
        expect(list).toMatch(/^[ -~]*$/)
        expect(read(headers)).toEqual({ is, subject, scopes: new Set(scopes) })
      }),
      { numRuns: 50 },
    )
  })

  it('leave ordinary names as they are', () => {
    const scopes = new Set(['orders:write', 'admin'])
    expect(askerHeaders({ is: 'user', subject: 'alice@example.com', scopes })).toEqual({
      'x-caller': 'user',
      'x-user-id': 'alice@example.com',
      'x-user-scopes': 'orders:write admin',
    })
  })

  it('say "nobody" in so many words, and keep him apart from a user of that name', () => {
    expect(askerHeaders(NOBODY)).toEqual({ 'x-caller': 'nobody' })
    expect(read(askerHeaders(NOBODY))).toBe(NOBODY)
    const namesake: Asker = { is: 'user', subject: 'nobody', scopes: new Set() }
    expect(read(askerHeaders(namesake))).toEqual(namesake)
  })

  it('are silent for a local asker', () => {
    expect(askerHeaders(LOCAL)).toEqual({})
    expect(read({})).toBeUndefined()
  })

  it.each([
    ['nobody', 'alice'],
    ['user', undefined],
    ['user', ''],
    ['user', '%'],
    ['service', '%ff'],
    ['User', 'alice'],
    ['', 'alice'],
    ['user, nobody', 'alice'],
    ['local', undefined],
    ['local', 'alice'],
    [undefined, ''],
    [undefined, '%ff'],
  ])('make nobody of the word %s about %s', (kind, id) => {
    expect(word(kind, id, 'admin')).toBe(NOBODY)
  })

  it('make a user of a name alone, and drop a scope that can’t be decoded', () => {
    expect(word(undefined, 'alice', 'a  %zz b')).toEqual({ is: 'user', subject: 'alice', scopes: new Set(['a', 'b']) })
  })
})
