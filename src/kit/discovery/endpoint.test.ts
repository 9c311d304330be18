import { describe, expect, it } from 'vitest'
import { authorityOf, endpointsFault, parseEndpoint, parseEndpoints, printEndpoint } from './endpoint.ts'

describe('endpoint', () => {
  it.each([
    ['http://user:8001', { scheme: 'http', host: 'user', port: 8001, basePath: '' }],
    ['https://shop.example/base/', { scheme: 'https', host: 'shop.example', port: 443, basePath: '/base' }],
    ['HTTP://Shop.Example.:80/', { scheme: 'http', host: 'shop.example', port: 80, basePath: '' }],
    ['https://[0:0::1]:8443/a/b', { scheme: 'https', host: '::1', port: 8443, basePath: '/a/b' }],
  ])('reads %s', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint)
  })

  it.each([
    ['https://shop.example/base/', 'https://shop.example/base', 'shop.example'],
    ['http://shop.example:443', 'http://shop.example:443', 'shop.example:443'],
    ['https://[::1]:8443/a/b//', 'https://[::1]:8443/a/b', '[::1]:8443'],
  ])('prints %s as %s', (text, printed, authority) => {
    expect(printEndpoint(parseEndpoint(text))).toBe(printed)
    expect(authorityOf(parseEndpoint(text))).toBe(authority)
  })

  it('reads and checks lists', () => {
    expect(parseEndpoints(' http://a:1/x/ ,,https://b').map(printEndpoint)).toEqual(['http://a:1/x', 'https://b'])
    expect(parseEndpoints('')).toEqual([])
    expect(endpointsFault('http://a:1, https://b/base')).toBeUndefined()
  })

  it.each([
    ['', 'empty'],
    ['http://a, ftp://b', 'not an http or https URL'],
    ['http://bob:pw@a', 'a URL with a user name in it'],
    ['http://@a', 'a URL with a user name in it'],
    ['http://a/base?key=1', 'a URL with a query'],
    ['http://a/#x', 'a URL with a fragment'],
    ['http://a:1\n', 'a URL with a space, a control character or a letter beyond ASCII in it'],
  ])('refuses %j, which is %s', (list, fault) => {
    expect(endpointsFault(list)).toBe(fault)
  })
})
