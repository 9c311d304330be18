import { expect, it } from 'vitest'
import { natsAddress } from './address.ts'

it.each([
  ['nats://host', { servers: ['host:4222'], name: 'msvc', tls: false, replicas: 1, dedupMs: 600_000 }],
  ['nats://a:1,b,nats://c:3/shop', { servers: ['a:1', 'b:4222', 'c:3'], name: 'shop' }],
  ['nats://[::1]:5,[fe80::1]', { servers: ['[::1]:5', '[fe80::1]:4222'] }],
  ['nats://me:p%40ss%3A@host', { user: 'me', password: 'p@ss:' }],
  ['nats://s3cret@host', { token: 's3cret' }],
  ['TLS://host?tls_ca=/ca.pem', { tls: true, tlsFiles: { caFile: '/ca.pem' } }],
  ['nats://host?replicas=3&dedup=7200&creds=/x.creds', { replicas: 3, dedupMs: 7_200_000, credentials: '/x.creds' }],
])('reads %s', (url, parts) => {
  expect(natsAddress(url)).toMatchObject(parts)
})

it.each([
  'nats:',
  'nats://',
  'nats://secret@',
  'nats://user:secret@host:99999999',
  'nats://user:secret@ho st',
  'nats://user:secret@host/a.b',
  'nats://user:secret@host?replicas=2',
  'nats://user:secret@host?dedup=1',
  'nats://user:secret@host?replica=3',
  'nats://user:%secret@host',
  'tls://user:secret@host?tls_cert=/mine.pem',
  'tls://user:secret@host?tls_key=/mine.key',
])('refuses %s, without repeating what may be a secret', (url) => {
  expect(() => natsAddress(url)).toThrow(expect.objectContaining({ kind: 'invalid' }))
  expect(() => natsAddress(url)).not.toThrow(/secret/)
})
