import { describe, expect, it } from 'vitest'
import { targetFault } from './request-target.ts'

describe('targetFault', () => {
  it.each(['/', '/api/users/1', '/a..b/...', '/.well-known/jwks.json', '/a/.hidden', '/a/%2ehidden', '/%2f', '/é'])(
    'lets %s through',
    (path) => {
      expect(targetFault(path)).toBeUndefined()
    },
  )

  it.each([
    ['/..', 'a dot segment'],
    ['/.', 'a dot segment'],
    ['/a/../b', 'a dot segment'],
    ['/a/./b', 'a dot segment'],
    ['/a/%2e%2E/b', 'a dot segment'],
    ['/a/.%2e', 'a dot segment'],
    ['/a/%2e', 'a dot segment'],
    ['/a\\..\\b', 'a dot segment'],
    ['/a\\b', 'a backslash'],
    ['/\\evil', 'a backslash'],
    ['http://evil/a', 'no slash at its beginning'],
    ['*', 'no slash at its beginning'],
    ['', 'no slash at its beginning'],
  ])('refuses %s', (path, fault) => {
    expect(targetFault(path)).toBe(fault)
  })
})
