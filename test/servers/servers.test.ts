import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ask } from './dialogue.ts'
import { startNats } from './nats.ts'
import { startPostgres } from './postgres.ts'
import { find, isHere } from './programs.ts'
import { startRedis } from './redis.ts'

const run = promisify(execFile)

describe.skipIf(!isHere('postgres'))('a PostgreSQL of a test’s own', () => {
  it('comes back after kill -9, on the same port and with its data', async () => {
    await using server = await startPostgres({ config: 'max_connections = 33' })
    const psql = async (statement: string) => {
      const { stdout } = await run(find('postgres', 'psql') ?? 'psql', [server.url, '-Atc', statement])
      return stdout.trim()
    }
    await psql('create table kept (id int); insert into kept values (7)')
    await server.kill()
    await expect(psql('select 1')).rejects.toThrow()
    await server.start()
    expect(await psql(`select id, current_setting('max_connections') from kept`)).toBe('7|33')
  })
})

describe.skipIf(!isHere('redis-server'))('a Redis of a test’s own', () => {
  it('comes back after kill -9, on the same port and with its data', async () => {
    await using server = await startRedis({ password: 'secret' })
    const say = async (line: string) => (await ask(server.port, `AUTH secret\r\n${line}\r\n`)).toString()
    expect(await say('SET kept 7')).toContain('+OK')
    await server.kill()
    await expect(say('PING')).rejects.toThrow()
    await server.start()
    await expect.poll(() => say('GET kept')).toContain('7')
  })
})

describe.skipIf(!isHere('nats-server'))('a NATS server of a test’s own', () => {
  it('comes back after kill -9, on the same port', async () => {
    await using server = await startNats()
    await server.kill()
    await expect(ask(server.port, '')).rejects.toThrow()
    await server.start()
    expect((await ask(server.port, '')).toString()).toContain('"jetstream":true')
  })
})
