import { expect, it } from 'vitest'
import { serverTools } from './server-tools.ts'

const embedded = { store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }

it('has nothing to say of what lies in the data folder', () => {
  expect(serverTools(embedded)).toEqual([])
})

it('tells the command of each server’s own tool, and no password', () => {
  const tools = serverTools({
    store: 'postgres://ann:secret@db:5432/shop?sslmode=require&password=secret',
    bus: 'nats://ann:secret@a:4222,bob:secret@b:4222',
    cache: 'rediss://:secret@cache:6379/1',
  })
  expect(JSON.stringify(tools)).not.toContain('secret')
  expect(tools.map(({ backend, url }) => [backend, url])).toEqual([
    ['store', 'postgres://ann@db:5432/shop?sslmode=require'],
    ['bus', 'nats://ann@a:4222,bob@b:4222'],
    ['cache', 'rediss://cache:6379/1'],
  ])
  expect(tools.map(({ commands }) => commands)).toEqual([
    [
      "pg_dump --format=custom --dbname='postgres://ann@db:5432/shop?sslmode=require' --file=msvc.dump",
      "pg_basebackup --dbname='postgres://ann@db:5432/postgres?sslmode=require' --pgdata=msvc-base --wal-method=stream --checkpoint=fast",
    ],
    ["nats --server 'nats://ann@a:4222,bob@b:4222' account backup --consumers ./msvc-streams"],
    ["redis-cli -u 'rediss://cache:6379/1' BGSAVE", "redis-cli -u 'rediss://cache:6379/1' --rdb msvc.rdb"],
  ])
})

it('finds the server behind Sentinels, and all of a cluster', () => {
  const commandsOf = (cache: string) => {
    const [tool] = serverTools({ ...embedded, cache })
    expect(JSON.stringify(tool)).not.toContain('secret')
    return tool?.commands
  }
  const asked = "-h 's1' -p 26379 SENTINEL get-master-addr-by-name 'main')"
  expect(commandsOf('redis+sentinel://:secret@s1,s2:26380/main/2')).toEqual([
    `set -- $(env -u REDISCLI_AUTH redis-cli ${asked} && redis-cli -h "$1" -p "$2" BGSAVE`,
    `set -- $(env -u REDISCLI_AUTH redis-cli ${asked} && redis-cli -h "$1" -p "$2" --rdb msvc.rdb`,
  ])
  expect(commandsOf('rediss+sentinel://ann:secret@s1/main?sentinel_user=bob&sentinel_password=secret')?.[1]).toBe(
    `set -- $(env REDISCLI_AUTH="$SENTINEL_AUTH" redis-cli --tls --user 'bob' ${asked} && redis-cli --tls --user 'ann' -h "$1" -p "$2" --rdb msvc.rdb`,
  )
  expect(commandsOf('redis+cluster://ann:secret@c1:7000,c2:7000')).toEqual([
    "mkdir msvc-redis && redis-cli --user 'ann' --cluster backup 'c1:7000' msvc-redis",
  ])
})

it('dumps every database where each service has its own', () => {
  const [tool] = serverTools({ ...embedded, store: 'postgresql://db/{service}' })
  expect(tool?.commands[0]).toBe("pg_dumpall --clean --if-exists --dbname='postgresql://db/postgres' --file=msvc.sql")
})

it('writes an address as one word of a shell', () => {
  const [tool] = serverTools({ ...embedded, cache: "redis://it's/0" })
  expect(tool?.commands[0]).toBe("redis-cli -u 'redis://it'\\''s/0' BGSAVE")
})
