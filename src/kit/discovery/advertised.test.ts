import type { NetworkInterfaceInfo } from 'node:os'
import { describe, expect, it } from 'vitest'
import { advertisedPlace, advertiseFault, roleReachedHere, standingPlace, withoutPort } from './advertised.ts'

function networkOf(...addresses: readonly string[]): NodeJS.Dict<NetworkInterfaceInfo[]> {
  return Object.fromEntries(
    addresses.map((address, at) => {
      const internal = address === '127.0.0.1' || address === '::1'
      const rest = { address, internal, mac: '', cidr: null, netmask: '' }
      const info: NetworkInterfaceInfo = address.includes(':')
        ? { ...rest, family: 'IPv6', scopeid: 0 }
        : { ...rest, family: 'IPv4' }
      return [`if${at}`, [info]]
    }),
  )
}

describe('advertisedPlace', () => {
  const network = networkOf('127.0.0.1', '::1', '169.254.3.4', 'fe80::1', 'fd00::7', '10.0.0.5', '10.0.0.6')

  it.each([
    ['10.0.0.9', undefined, '10.0.0.9', 8001],
    ['127.0.0.1', undefined, '127.0.0.1', 8001],
    ['0.0.0.0', undefined, '10.0.0.5', 8001],
    ['::', undefined, '10.0.0.5', 8001],
    ['0.0.0.0', 'Shop.Example', 'shop.example', 8001],
    ['0.0.0.0', 'shop.example:80', 'shop.example', 80],
    ['127.0.0.1', '192.168.1.2:18001', '192.168.1.2', 18_001],
    ['::', '[fd00::1]:80', 'fd00::1', 80],
    ['::', 'fd00::1', 'fd00::1', 8001],
  ])('of %s, with advertise %s, is %s:%d', (host, advertise, expectedHost, port) => {
    expect(advertisedPlace({ host, port: 8001 }, advertise, network)).toEqual({ host: expectedHost, port })
  })

  it("is that of the default route's interface, where there are several networks", () => {
    expect(advertisedPlace({ host: '0.0.0.0', port: 1 }, undefined, network, 'if6').host).toBe('10.0.0.6')
    expect(advertisedPlace({ host: '0.0.0.0', port: 1 }, undefined, network, 'if4').host).toBe('10.0.0.5')
  })

  it('is an IPv6 address where the machine has no other, and the loopback one where it has none at all', () => {
    const bare = networkOf('127.0.0.1', '::1', '169.254.3.4', 'fe80::1')
    expect(advertisedPlace({ host: '::', port: 1 }, undefined, networkOf('::1', 'fd00::7')).host).toBe('fd00::7')
    expect(advertisedPlace({ host: '::', port: 1 }, undefined, bare).host).toBe('::1')
    expect(advertisedPlace({ host: '0.0.0.0', port: 1 }, undefined, bare).host).toBe('127.0.0.1')
  })
})

it('a role on every address is reached here by IPv4, whether IPv6 is switched on or not', () => {
  expect(['::', '0.0.0.0', '10.0.0.5'].map(roleReachedHere)).toEqual(['127.0.0.1', '127.0.0.1', '10.0.0.5'])
})

describe('advertiseFault', () => {
  it.each(['shop', 'shop.example:80', '10.0.0.5', '10.0.0.5:1', '[fd00::1]:80', 'fd00::1', 'localhost:8001'])(
    'takes %s',
    (text) => expect(advertiseFault(text)).toBeUndefined(),
  )
  it.each([
    '',
    ':80',
    'a b',
    'http://shop',
    'shop/path',
    'ann@shop',
    'shop:0',
    'shop:65536',
    'shop:x',
    '0.0.0.0',
    '169.254.169.254',
    '[::]:80',
    '127.1',
  ])('refuses %j', (text) => expect(advertiseFault(text)).toBeDefined())
})

it('leaves a replica on another port the host', () => {
  expect(['shop:80', '[fd00::1]:80', 'fd00::1', 'shop'].map(withoutPort)).toEqual([
    'shop',
    'fd00::1',
    'fd00::1',
    'shop',
  ])
})

describe('standingPlace', () => {
  it('goes by the address that others reach, and by the machine where only it does', () => {
    expect(standingPlace({ host: '10.0.0.9', port: 8001 }, 'ubuntu')).toBe('10.0.0.9:8001')
    expect(standingPlace({ host: '0.0.0.0', port: 8001, advertise: 'shop.example:80' }, 'ubuntu')).toBe(
      'shop.example:80',
    )
    expect(standingPlace({ host: '127.0.0.1', port: 8001 }, 'ubuntu')).toBe('ubuntu:8001')
    expect(standingPlace({ host: 'localhost', port: 8001 }, 'ubuntu')).toBe('ubuntu:8001')
  })
})
