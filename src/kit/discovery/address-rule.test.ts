import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalHost,
  guardedLookup,
  hostInUrl,
  inTurn,
  refusedAddress,
  refusedHost,
  refusedOnceResolved,
  refusedUrl,
} from './address-rule.ts'

const FORBIDDEN = [
  '169.254.169.254',
  '169.254.0.1',
  '0.0.0.0',
  '0.1.2.3',
  '224.0.0.1',
  '239.255.255.255',
  '255.255.255.255',
  '240.0.0.1',
  '100.100.100.200',
  '168.63.129.16',
  '::',
  'fe80::1',
  'fe80::1%lo',
  'febf::1',
  'fec0::1',
  'ff02::1',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd00:0ec2:0:0::17',
  'fd20:ce::254',
  'fd00:c1::a9fe:a9fe',
  'fd00:42::42',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '::ffff:127.0.0.1',
  '0:0:0:0:0:ffff:7f00:1',
  '::127.0.0.1',
  '::ffff:0:169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  '2001:0:a9fe:a9fe::1',
]
const FINE = [
  '127.0.0.1',
  '127.8.9.10',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '8.8.8.8',
  '100.64.0.1',
  '::1',
  'fd00::1',
  '2001:db8::1',
  '2606:4700::1',
]

describe('refusedAddress', () => {
  it.each(FORBIDDEN)('refuses %s', (address) => expect(refusedAddress(address)).toBeTypeOf('string'))
  it.each(FINE)('accepts %s', (address) => expect(refusedAddress(address)).toBeUndefined())
})

describe('refusedHost', () => {
  it.each([
    ...FORBIDDEN,
    '[::ffff:a9fe:a9fe]',
    '[fe80::1]',
    '2130706433',
    '2852039166',
    '0x7f.1',
    '0xa9fea9fe',
    '0x',
    '127.1',
    '0177.0.0.1',
    '127.0.0.01',
    '169.254.169.254.',
    '127.0.0.1.',
    'a.b.1',
    'metadata.google.internal',
    'Metadata.Google.Internal.',
    '１６９.254.169.254',
    '169。254。169。254',
    '',
    '.',
    '..',
    'a..b',
    '-a',
    'a b',
    'a/b',
    'a@b',
    'a:80',
    'a%2e',
    '[::1',
    '[127.0.0.1]',
    'a'.repeat(254),
    'user\r\n',
  ])('refuses %j', (host) => expect(refusedHost(host)).toBeTypeOf('string'))

  it.each([
    ...FINE,
    '[::1]',
    'localhost',
    'localhost.',
    'user-service',
    'user_service',
    'Order.example.com',
    'db1',
    'x.0x1g',
    '1a',
  ])('accepts %j', (host) => expect(refusedHost(host)).toBeUndefined())

  it('accepts no spelling that a URL parser takes for a refused address', () => {
    const part = fc.oneof(
      fc.nat(255).map(String),
      fc.nat(255).map((n) => `0x${n.toString(16)}`),
      fc.nat(255).map((n) => `0${n.toString(8)}`),
      fc.nat(0xffffffff).map(String),
    )
    const host = fc
      .tuple(fc.array(part, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '.'))
      .map(([parts, end]) => parts.join('.') + end)
    fc.assert(
      fc.property(host, (spelling) => {
        fc.pre(URL.canParse(`http://${spelling}/`))
        const { hostname } = new URL(`http://${spelling}/`)
        if (hostname !== spelling) expect(refusedHost(spelling)).toBeTypeOf('string')
        else expect(refusedHost(spelling)).toBe(refusedAddress(hostname))
      }),
    )
  })
})

describe('refusedUrl', () => {
  it.each([
    'http://169.254.169.254/latest',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[::ffff:169.254.169.254]:80/',
    'http://2852039166/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0/',
    'http://a@169.254.169.254/',
    'http://user:pass@host/',
    'http://@host/',
    'http://１６９.254.169.254/',
    'http://metadata.google.internal./',
    'file:///etc/passwd',
    'gopher://host/',
    'ftp://host/',
    'http:/host',
    'http:\\\\host',
    'http://host\\@169.254.169.254/',
    '//host/',
    'host:80',
    'http://',
    '',
    'javascript:1',
    'http://host/\r\nX-Evil: 1',
    'http://host/a b',
    'http://ho\tst/',
    ' http://host/',
    'http://host/\n',
    'http://host/\t',
    'http://host/\u0085',
    'http://host/\u2028',
    'http://host/é',
    'http://ünï.example/',
    'http://host/#part',
    'http://host\\@other/',
  ])('refuses %j', (url) => expect(refusedUrl(url)).toBeTypeOf('string'))

  it.each([
    'http://127.0.0.1:8001/health',
    'https://Orders.example.com/x?y=1',
    'http://[::1]:80/',
    'http://[0:0::1]/',
    'http://user-service:8001',
    'HTTP://localhost.:1/',
  ])('accepts %j', (url) => expect(refusedUrl(url)).toBeUndefined())
})

describe('guardedLookup', () => {
  it('lets a good name through to the connection', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const socket = connect({ host: 'localhost', port: address.port, family: 4, lookup: guardedLookup })
    await once(socket, 'connect')
    socket.destroy()
    server.close()
  })

  it('refuses what resolves to a refused address', async () => {
    const answer = new Promise((resolve) => guardedLookup('169.254.169.254', {}, (error) => resolve(error)))
    expect(await answer).toMatchObject({ code: 'EADDRREFUSED', message: expect.stringContaining('link-local') })
    const socket = connect({ host: '0x0', port: 1, lookup: guardedLookup })
    const [error] = await once(socket, 'error')
    expect(error).toMatchObject({ code: 'EADDRREFUSED' })
  })
})

describe('refusedOnceResolved', () => {
  it('looks behind names', async () => {
    expect(await refusedOnceResolved('localhost')).toBeUndefined()
    expect(await refusedOnceResolved('nowhere.invalid')).toBeUndefined()
    expect(await refusedOnceResolved('127.0.0.1')).toBeUndefined()
    expect(await refusedOnceResolved('169.254.1.1')).toBe('link-local')
  })
})

describe('canonicalHost', () => {
  it.each([
    ['LOCALHOST.', 'localhost'],
    ['[0:0:0:0:0:0:0:1]', '::1'],
    ['FD00::0001', 'fd00::1'],
    ['127.0.0.1', '127.0.0.1'],
  ])('makes %s %s', (host, canonical) => expect(canonicalHost(host)).toBe(canonical))

  it('stands in a URL', () => {
    expect(hostInUrl('::1')).toBe('[::1]')
    expect(hostInUrl('a')).toBe('a')
  })
})

describe('the addresses of one name', () => {
  const four = (address: string) => ({ address, family: 4 })
  const six = { address: 'fd00::1', family: 6 }

  it('take turns, those of the preferred family first', () => {
    const all = [four('10.0.0.1'), six, four('10.0.0.2')]
    expect(inTurn(all, 0)).toEqual([four('10.0.0.1'), four('10.0.0.2'), six])
    expect(inTurn(all, 0.99)).toEqual([four('10.0.0.2'), four('10.0.0.1'), six])
    expect(inTurn([], 0.5)).toEqual([])
  })
})
