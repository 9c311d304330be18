import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { originRule, proxyFault } from './request-origin.ts'

const TRUSTED = ['10.0.0.0/8', '192.168.1.1', 'fd00::/8', '2001:db8::5']

/** Where a request from `peer` with this X-Forwarded-For comes from. */
const from = (peer: string, list?: string, more: Record<string, string> = {}) =>
  originRule(TRUSTED)({
    socket: { remoteAddress: peer },
    headers: { host: 'gateway.test', ...(list !== undefined && { 'x-forwarded-for': list }), ...more },
  })

describe('originRule', () => {
  it('believes nobody when nobody is trusted', () => {
    const headers = {
      host: 'gateway.test',
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.test',
    }
    const nothing = { address: '10.0.0.1', path: '10.0.0.1', proto: 'http', host: 'gateway.test' }
    expect(originRule([])({ socket: { remoteAddress: '10.0.0.1' }, headers })).toEqual(nothing)
    const stranger = { ...nothing, address: '11.0.0.1', path: '11.0.0.1' }
    expect(originRule(TRUSTED)({ socket: { remoteAddress: '11.0.0.1' }, headers })).toEqual(stranger)
  })

  it.each([
    ['one proxy', '10.0.0.1', '203.0.113.9', '203.0.113.9', '203.0.113.9, 10.0.0.1'],
    ['what a client wrote before it', '10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9', '203.0.113.9, 10.0.0.1'],
    ['two proxies', '10.0.0.1', '203.0.113.9, 10.0.0.2', '203.0.113.9', '203.0.113.9, 10.0.0.2, 10.0.0.1'],
    ['a client inside', '10.0.0.1', '10.0.0.3', '10.0.0.3', '10.0.0.3, 10.0.0.1'],
    ['no list', '10.0.0.1', undefined, '10.0.0.1', '10.0.0.1'],
    ['an empty list', '10.0.0.1', '', '10.0.0.1', '10.0.0.1'],
    ['unknown', '10.0.0.1', '1.1.1.1, unknown', '10.0.0.1', '10.0.0.1'],
    ['a pseudonym', '10.0.0.1', '_hidden, 10.0.0.2', '10.0.0.2', '10.0.0.2, 10.0.0.1'],
    ['nonsense', '10.0.0.1', '1.1.1.1, 300.1.1.1', '10.0.0.1', '10.0.0.1'],
    ['an octal address', '10.0.0.1', '010.0.0.1', '10.0.0.1', '10.0.0.1'],
    ['empty entries', '10.0.0.1', '203.0.113.9,,', '10.0.0.1', '10.0.0.1'],
    ['a port', '10.0.0.1', '203.0.113.9:567', '203.0.113.9', '203.0.113.9, 10.0.0.1'],
    ['IPv6', 'fd00::1', '2001:DB8:0::7', '2001:db8::7', '2001:db8::7, fd00::1'],
    ['IPv6 in brackets', 'fd00::1', '[2001:db8::7]', '2001:db8::7', '2001:db8::7, fd00::1'],
    ['IPv6 with a port, in quotes', 'fd00::1', '"[2001:db8::7]:80"', '2001:db8::7', '2001:db8::7, fd00::1'],
    ['an IPv4 proxy on an IPv6 socket', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9', '203.0.113.9, 10.0.0.1'],
    ['a mapped client', '10.0.0.1', '::ffff:cb00:7109', '203.0.113.9', '203.0.113.9, 10.0.0.1'],
    [
      'a mapped proxy in the list',
      '192.168.1.1',
      '1.1.1.1, ::ffff:10.9.9.9',
      '1.1.1.1',
      '1.1.1.1, 10.9.9.9, 192.168.1.1',
    ],
    ['an address beside a trusted one', '2001:db8::5', '192.168.1.2', '192.168.1.2', '192.168.1.2, 2001:db8::5'],
    ['a zone', 'fd00::1%eth0', '203.0.113.9', '203.0.113.9', '203.0.113.9, fd00::1'],
  ])('reads %s', (_, peer, list, address, path) => {
    expect(from(peer, list)).toMatchObject({ address, path })
  })

  it('looks at no more of a list than there can be proxies', () => {
    const inside = Array.from({ length: 1_000 }, (__, at) => `10.0.${at >> 8}.${at & 255}`)
    expect(from('10.0.0.1', inside.join(', ')).path.split(', ')).toHaveLength(33)
    expect(from('10.0.0.1', `1.1.1.1, ${'x'.repeat(100_000)}`).address).toBe('10.0.0.1')
    expect(from('10.0.0.1', `${'1.1.1.1,'.repeat(1_000)}203.0.113.9`).address).toBe('203.0.113.9')
  })

  it('believes a trusted proxy’s protocol and host, the last one said', () => {
    const said = { 'x-forwarded-proto': 'http, HTTPS', 'x-forwarded-host': 'evil.test, shop.test:8443' }
    expect(from('10.0.0.1', '1.1.1.1', said)).toMatchObject({ proto: 'https', host: 'shop.test:8443' })
    const junk = { 'x-forwarded-proto': 'javascript', 'x-forwarded-host': 'a b/../c' }
    expect(from('10.0.0.1', '1.1.1.1', junk)).toMatchObject({ proto: 'http', host: 'gateway.test' })
  })

  it('never takes more than an address from a list, and only the last that isn’t trusted', () => {
    const entry = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('unknown', '', '10.1.2.3', ':', '[', '"', '::1]'),
      fc.string(),
    )
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 5 }),
        fc.ipV4().filter((ip) => !ip.startsWith('10.')),
        (claimed, client) => {
          fc.pre(client !== '192.168.1.1')
          const list = [...claimed.map((text) => text.replaceAll('\n', '')), client, '10.0.0.2'].join(', ')
          expect(from('10.0.0.1', list)).toMatchObject({ address: client, path: `${client}, 10.0.0.2, 10.0.0.1` })
        },
      ),
    )
  })
})

describe('proxyFault', () => {
  it.each(['10.0.0.5', '10.0.0.0/8', '::1', 'fd00::/8', '2001:db8::/128', '1.2.3.4/32', '::ffff:10.0.0.1'])(
    'takes %s',
    (text) => {
      expect(proxyFault(text)).toBeUndefined()
    },
  )

  it.each([
    '',
    'proxy.example',
    '10.0.0.0/33',
    '::ffff:10.0.0.0/104',
    '::1/129',
    '0.0.0.0/0',
    '::/0',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '010.0.0.1',
    'fe80::1%lo',
    '*',
    '10.0.0.1:80',
  ])('refuses %s', (text) => {
    expect(proxyFault(text)).toMatch(/^expected/)
  })
})
