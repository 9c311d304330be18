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

it('dumps every database where each service has its own', () => {
  const [tool] = serverTools({ ...embedded, store: 'postgresql://db/{service}' })
  expect(tool?.commands[0]).toBe("pg_dumpall --clean --if-exists --dbname='postgresql://db/postgres' --file=msvc.sql")
})

it('writes an address as one word of a shell', () => {
  const [tool] = serverTools({ ...embedded, cache: "redis://it's/0" })
  expect(tool?.commands[0]).toBe("redis-cli -u 'redis://it'\\''s/0' BGSAVE")
})
