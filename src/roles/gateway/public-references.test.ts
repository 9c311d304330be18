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
    expect(publishReferences(['A', 'b', name, value], '/gateway')).toEqual(['A', 'b', name, published])
  })

  it('changes nothing where nothing is stripped', () => {
    expect(publishReferences(['Location', '/a'], '')).toEqual(['Location', '/a'])
  })
})
