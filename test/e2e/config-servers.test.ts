import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresServer, startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'
import { boot } from './boot.ts'

describe.skipIf(!isHere('postgres'))('two config servers on one PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ config: UNSYNCED })
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  it('tell their watchers of what is set at the other, also after the server was away', async () => {
    await using platform = await boot(['registry', 'config-server', 'config-server-2'], {
      platform: { store: server.url },
    })
    const set = (role: string, key: string, value: unknown) =>
      platform.fetch(role, `/config/shop/development/${key}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(value),
      })
    const ending = new AbortController()
    using _watching = { [Symbol.dispose]: () => ending.abort() }
    const heard = { 'config-server': '', 'config-server-2': '' }
    for (const role of ['config-server', 'config-server-2'] as const) {
      const answer = await platform.fetch(role, '/config/watch?service=shop', { signal: ending.signal })
      void (async () => {
        const decoder = new TextDecoder()
        for await (const bytes of answer.body ?? []) heard[role] += decoder.decode(bytes, { stream: true })
      })().catch(() => {})
    }
    const told = (role: keyof typeof heard, key: string) =>
      expect.poll(() => heard[role]).toMatch(new RegExp(`event: change\\ndata: .*"${key}"`))
    for (const role of ['config-server', 'config-server-2'] as const)
      await expect.poll(() => heard[role]).toContain('event: snapshot')

    expect((await set('config-server', 'first', 1)).status).toBeLessThan(300)
    await told('config-server-2', 'first')
    expect((await set('config-server-2', 'second', 2)).status).toBeLessThan(300)
    await told('config-server', 'second')
    const values = await (await platform.fetch('config-server', '/config/shop/development')).json()
    expect(values).toMatchObject({ first: 1, second: 2 })

    await server.kill()
    await server.start()
    await expect.poll(async () => (await set('config-server', 'third', 3)).status).toBeLessThan(300)
    await told('config-server-2', 'third')
  })
})
