import { describe, expect, it } from 'vitest'
import { parseRedisUrl } from './address.ts'

describe('parseRedisUrl', () => {
  it('reads one server', () => {
    expect(parseRedisUrl('redis://10.0.0.5')).toEqual({
      at: 'server',
      tls: false,
      nodes: [{ host: '10.0.0.5', port: 6379 }],
      login: {},
      database: 0,
      master: '',
      sentinelLogin: {},
      shown: 'redis://10.0.0.5',
    })
    expect(parseRedisUrl('REDISS://ann:p%40ss@cache.example:6380/3')).toMatchObject({
      tls: true,
      nodes: [{ host: 'cache.example', port: 6380 }],
      login: { username: 'ann', password: 'p@ss' },
      database: 3,
      shown: 'rediss://cache.example:6380/3',
    })
    expect(parseRedisUrl('redis://:a@b@[::1]:1').nodes).toEqual([{ host: '::1', port: 1 }])
    expect(parseRedisUrl('redis://:a@b@[::1]:1').login).toEqual({ password: 'a@b' })
  })

  it('reads Sentinels, and what they watch', () => {
    expect(
      parseRedisUrl('redis+sentinel://:pw@10.0.0.1,10.0.0.2:26380/main/2?sentinel_user=s&sentinel_password=t%26'),
    ).toEqual({
      at: 'sentinel',
      tls: false,
      nodes: [
        { host: '10.0.0.1', port: 26_379 },
        { host: '10.0.0.2', port: 26_380 },
      ],
      login: { password: 'pw' },
      database: 2,
      master: 'main',
      sentinelLogin: { username: 's', password: 't&' },
      shown: 'redis+sentinel://10.0.0.1,10.0.0.2:26380/main/2',
    })
  })

  it('reads the nodes of a cluster', () => {
    expect(parseRedisUrl('rediss+cluster://a:7000,b,[fd00::1]:7002')).toMatchObject({
      at: 'cluster',
      tls: true,
      nodes: [
        { host: 'a', port: 7000 },
        { host: 'b', port: 6379 },
        { host: 'fd00::1', port: 7002 },
      ],
    })
  })

  it.each([
    ['redis:', 'this is no URL of a Redis'],
    ['redis://', 'this is no URL of a Redis'],
    ['redis://:secret@', 'this is no URL of a Redis'],
    ['redis://:sec/ret@host', 'a host is host'],
    ['redis://:secret@host/x', 'the number of the database'],
    ['redis://:secret@host/1/2', 'the number of the database'],
    ['redis://:secret@host:99999', 'a host is host'],
    ['redis://:secret@host:0', 'a host is host'],
    ['redis://:secret@a,b', 'several hosts'],
    ['redis://:secret@host?tls=true', 'nothing may stand behind a ?'],
    ['redis://secret@host', 'user:password'],
    ['redis://secret:@host', 'a user without a password'],
    ['redis://:secret%@host', 'a % has no two digits'],
    ['redis+sentinel://:secret@a', 'the name of what they watch'],
    ['redis+sentinel://:secret@a/main?secret=1', 'sentinel_user'],
    ['redis+cluster://:secret@a/1', 'database 0'],
    ['redis+cluster://:secret@a,,b', 'a host is host'],
  ])('refuses %s, without repeating what may be secret', (url, words) => {
    const parse = () => parseRedisUrl(url)
    expect(parse).toThrow(words)
    expect(parse).not.toThrow(/secret(?!_)/)
    expect(parse).toThrow(expect.objectContaining({ name: 'DriverError', kind: 'invalid' }))
  })
})
