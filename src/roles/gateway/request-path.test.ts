import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRequestTarget } from './request-path.ts'

describe('parseRequestTarget', () => {
  it.each([
    ['/', '/', ''],
    ['/gateway/api/users', '/gateway/api/users', ''],
    ['/gateway/api/users?limit=2&after=%2F..%00', '/gateway/api/users', '?limit=2&after=%2F..%00'],
    ['/a?b?c=//;\\', '/a', '?b?c=//;\\'],
    ['/a/', '/a/', ''],
    ['/.well-known/jwks.json', '/.well-known/jwks.json', ''],
    ['/a...b/..c/d../...', '/a...b/..c/d../...', ''],
    ['/caf%C3%A9/%20/%40', '/caf%C3%A9/%20/%40', ''],
    ['/%2Ehidden', '/%2Ehidden', ''],
    ["/a:b@c!$&'()*+,=~_-", "/a:b@c!$&'()*+,=~_-", ''],
  ])('leaves %s as it is', (target, path, query) => {
    expect(parseRequestTarget(target)).toEqual({ path, meant: decodeURIComponent(path), query })
  })

  it.each([
    '',
    '*',
    'gateway/api',
    'http://other/gateway',
    'HTTP://other',
    'other:80',
    '//host',
    '//host/gateway',
    '/gateway//api',
    '/gateway/api/users//',
    '/%2f/x',
    '/a;b',
    '/a;jsessionid=1/b',
    '/..;/x',
    '/a%3bb',
    '/a%3Bb',
    '/..',
    '/../x',
    '/a/..',
    '/a/../b',
    '/a/./b',
    '/.',
    '/a/.',
    '/%2e%2e/x',
    '/%2E%2e/x',
    '/.%2e/x',
    '/%2e./x',
    '/a/%2e%2e',
    '/a/%2e',
    '/%2e%2e?x',
    '/%c0%ae%c0%ae/x',
    '/%e0%80%ae/x',
    '/%ef%bc%8e%ef%bc%8e/x',
    '/%e2%80%a5/x',
    '/%e2%80%a4%e2%80%a4/x',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a%5Cb',
    '/a\\b',
    '/\\host',
    '/a%ef%bc%8fb',
    '/a%ef%bc%bcb',
    '/a%e2%84%80b',
    '/a%00b',
    '/a%0db',
    '/a%0ab',
    '/a%0D%0Ab',
    '/a%7f',
    '/a%1b',
    '/a%c2%85',
    '/a%25b',
    '/%252e%252e/x',
    '/%25252e/x',
    '/a%ef%bc%85b',
    '/a%',
    '/a%2',
    '/a%zz',
    '/a%u002e',
    '/%ff',
    '/%c3',
    '/a b',
    '/a\tb',
    '/a\nb',
    '/a\u0000b',
    '/a\u007fb',
    '/a\u00e9b',
    '/a\uff0e',
    '/a#b',
    '/a?b#c',
    '/a?b\u0001',
    '/a?\u00e9',
  ])('refuses %j', (target) => {
    expect(parseRequestTarget(target)).toHaveProperty('refused')
  })

  it('never changes what it lets through, and lets no dot segment or separator through in any encoding', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '/',
        '.',
        '..',
        '%2e',
        '%2E',
        '%2f',
        '%5c',
        '%25',
        '%',
        '//',
        ';',
        '?',
        '%c0',
        '%ae',
        'a',
        'é',
        '％',
        '\\',
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
      fc.string({ maxLength: 3 }).map(encodeURIComponent),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const target = `/${pieces.join('')}`
        const result = parseRequestTarget(target)
        if ('refused' in result) return
        expect(result.path + result.query).toBe(target)
        const { pathname } = new URL(result.path, 'http://host')
        expect(pathname.length).toBeGreaterThanOrEqual(result.path.length)
        const decoded = decodeURIComponent(result.path).normalize('NFKC')
        expect(decoded.split('/').filter((segment) => segment === '.' || segment === '..')).toEqual([])
        expect(decoded).not.toMatch(/[\\;%]|\/\//)
        expect(decoded.split('/').length).toBe(result.path.split('/').length)
      }),
      { numRuns: 300 },
    )
  })
})
