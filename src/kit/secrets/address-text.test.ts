import { describe, expect, it } from 'vitest'
import { withoutPassword } from './address-text.ts'

describe('a server’s URL as it may be shown', () => {
  it.each([
    ['postgres://shop:secret@db:5432/shop', 'postgres://shop@db:5432/shop'],
    ['postgres://db/shop?sslmode=require&password=secret', 'postgres://db/shop?sslmode=require'],
    ['postgres://db/shop?password=secret&sslmode=require', 'postgres://db/shop?sslmode=require'],
    ['postgres://db/shop?password=secret', 'postgres://db/shop'],
    ['redis+sentinel://s1,s2/main?sentinel_password=secret', 'redis+sentinel://s1,s2/main'],
    [
      'redis+sentinel://ann:secret@s1/main?sentinel_user=bob&Sentinel_Password=secret',
      'redis+sentinel://ann@s1/main?sentinel_user=bob',
    ],
    ['nats://user:secret@a:4222,b:4222/shop', 'nats://user@a:4222,b:4222/shop'],
    ['nats://token@a:4222/shop', 'nats://a:4222/shop'],
    ['tls://token@a:4222', 'tls://a:4222'],
    ['redis://:secret@cache:6379/1', 'redis://cache:6379/1'],
    ['postgres://shop@db/shop', 'postgres://shop@db/shop'],
    ['sqlite:', 'sqlite:'],
  ])('%s', (given, shown) => expect(withoutPassword(given)).toBe(shown))
})
