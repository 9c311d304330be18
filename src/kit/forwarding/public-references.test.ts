import { describe, expect, it } from 'vitest'
import { publishReferences } from './public-references.ts'

describe('publishReferences', () => {
  it.each([
    ['Location', '/api/users/3', '/gateway/api/users/3'],
    ['location', '/', '/gateway/'],
    ['Location', 'http://other/api', 'http://other/api'],
    ['Location', '//other/api', '//other/api'],
    ['Location', 'users/3', 'users/3'],
    [
      'Link',
      '</api/users?after=2>; rel="next", </a>; rel=x',
      '</gateway/api/users?after=2>; rel="next", </gateway/a>; rel=x',
    ],
    ['Link', '<https://a/b>; rel=next', '<https://a/b>; rel=next'],
    ['X-Place', '/api/users/3', '/api/users/3'],
    ['Etag', '</a>', '</a>'],
  ])('%s: %s becomes %s', (name, value, published) => {
    expect(publishReferences(['A', 'b', name, value], '/gateway', '')).toEqual(['A', 'b', name, published])
  })

  it.each([
    ['Location', '/base/api/users/3', '/gateway/api/users/3'],
    ['Location', '/base', '/gateway'],
    ['Location', '/base?a', '/gateway?a'],
    ['Location', '/basement/3', '/gateway/basement/3'],
    ['Location', '/api/users/3', '/gateway/api/users/3'],
    ['Link', '</base/a>; rel=x, </base/b>; rel=y', '</gateway/a>; rel=x, </gateway/b>; rel=y'],
  ])('%s: %s becomes %s, from an upstream with a base path', (name, value, published) => {
    expect(publishReferences([name, value], '/gateway', '/base')).toEqual([name, published])
  })

  it.each([
    ['/base/a', '/a'],
    ['/base', '/'],
    ['/base?a', '/?a'],
    ['/base//other', '/base//other'],
  ])('makes %s %s where only the base path is to go', (value, published) => {
    expect(publishReferences(['Location', value], '', '/base')).toEqual(['Location', published])
  })

  it('changes nothing where nothing is stripped', () => {
    expect(publishReferences(['Location', '/a'], '', '')).toEqual(['Location', '/a'])
  })
})
