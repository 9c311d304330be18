import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { systemClock } from '../../drivers/clock.ts'
import { createAuthority } from '../auth/local-authority.ts'
import { AppError } from '../errors.ts'
import { portOf } from '../http/port-of.ts'
import { openRoute } from '../http/route.ts'
import type { LogEntry } from '../telemetry/log.ts'
import { currentScope } from '../telemetry/scope.ts'
import type { ServiceDefinition } from './definition.ts'
import { startService } from './run-service.ts'

let folder: string
let entries: LogEntry[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'msvc-service-'))
  entries = []
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function run(start: ServiceDefinition['start'], variables: Record<string, string> = {}) {
  const sinks = [(entry: LogEntry) => void entries.push(entry)]
  const running = await startService({ name: 'catalog', start }, { variables, folder, clock: systemClock, sinks })
  return { ...running, [Symbol.asyncDispose]: running.stop }
}

describe('a service', () => {
  it('has the chain around its routes, and its own folder', async () => {
    await using running = await run(async ({ app, log, store, env }) => {
      const { GREETING } = env(z.object({ GREETING: z.string().default('Hello') }))
      await store({})
      const params = z.object({ name: z.string().max(5) })
      app.get('/hello/:name', openRoute({ summary: 'Greet', scope: 'greetings:read', params }), (c) => {
        log.info('greeted')
        return c.json({ text: `${GREETING} ${c.req.valid('param').name}`, asker: currentScope()?.asker?.is })
      })
      app.get('/broken', () => {
        throw new AppError('CONFLICT', 'Not now')
      })
    })
    const answer = await fetch(`${running.url}/hello/ann`)
    expect(await answer.json()).toEqual({ text: 'Hello ann', asker: 'local' })
    const trace_id = answer.headers.get('x-trace-id')
    expect(entries).toContainEqual(expect.objectContaining({ service: 'catalog', message: 'greeted', trace_id }))
    expect((await fetch(`${running.url}/hello/annabel`)).status).toBe(400)
    const problem = await fetch(`${running.url}/broken`)
    expect(problem.status).toBe(409)
    expect(await problem.json()).toMatchObject({ code: 'CONFLICT', error: 'Not now' })
    for (const path of ['/health', '/livez', '/readyz', '/metrics', '/openapi.json'])
      expect([path, (await fetch(`${running.url}${path}`)).status]).toEqual([path, 200])
    expect(await readdir(join(folder, '.data/catalog'))).toContain('catalog.db')
  })

  it('takes an app of any kind, and is ready when it says so', async () => {
    const ready = Promise.withResolvers<void>()
    const own = new Hono<{ Variables: { shelf: string } }>()
    own.use((c, next) => {
      c.set('shelf', 'top')
      return next()
    })
    own.get('/shelf', (c) => c.text(c.get('shelf')))
    const sinks = { folder, clock: systemClock, sinks: [], variables: {} }
    const starting = startService({ name: 'catalog', start: () => ({ app: own, ready: () => ready.promise }) }, sinks)
    const first = await Promise.race([starting, new Promise((resolve) => setImmediate(resolve, 'not yet'))])
    expect(first).toBe('not yet')
    ready.resolve()
    const running = await starting
    expect(await (await fetch(`${running.url}/shelf`)).text()).toBe('top')
    await running.stop()
  })

  it('refuses a database of another kind only where it asks for a store', async () => {
    const variables = { DATABASE_URL: 'mysql://db/shop' }
    {
      await using running = await run(() => {}, variables)
      expect((await fetch(`${running.url}/health`)).status).toBe(200)
    }
    const opening = run(async ({ store }) => void (await store({})), variables)
    await expect(opening).rejects.toThrow(/no store driver for mysql:/)
  })

  it('closes in reverse what it has opened, also where its start fails', async () => {
    const closed: string[] = []
    const starting = run(({ defer }) => {
      defer(() => void closed.push('first'))
      defer(() => void closed.push('second'))
      throw new Error('no shelves')
    })
    await expect(starting).rejects.toThrow('no shelves')
    expect(closed).toEqual(['second', 'first'])
  })
})

describe('a service that is kept by a supervisor', () => {
  it('neither registers nor sends its log, and has the name of its replica', async () => {
    const asked: string[] = []
    const platform = createServer((incoming, outgoing) => {
      asked.push(`${incoming.method} ${incoming.url}`)
      outgoing.writeHead(503).end()
    })
    await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${portOf(platform)}`
    const variables = { REGISTRY_URL: url, LOG_SERVER_URL: url, MSVC_SUPERVISED: '1', INSTANCE_ID: 'catalog-2' }
    const running = await run(({ log }) => log.warning('open'), variables)
    expect(running.instance).toBe('catalog-2')
    await expect.poll(() => asked).toContain('GET /registry/watch')
    await running.stop()
    expect(entries).toContainEqual(expect.objectContaining({ message: 'open', instance: 'catalog-2' }))
    expect(asked.filter((what) => /register|heartbeat|logs/.test(what))).toEqual([])
    platform.closeAllConnections()
    platform.close()
  })
})

describe('a service in token mode', () => {
  it('believes who has a token of its platform for it, by the keys of the gateway', async () => {
    const authority = createAuthority({
      mode: 'token',
      issuer: 'shop',
      folder: join(folder, 'keys'),
      clock: systemClock,
    })
    const gateway = createServer(async (_, outgoing) =>
      outgoing.end(JSON.stringify({ keys: await authority.publicKeys() })),
    )
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
    const own = join(folder, 'token')
    await writeFile(own, await authority.serviceToken('catalog', 'registry'))
    const variables = { MSVC_TOKEN_FILE: own, GATEWAY_URL: `http://127.0.0.1:${portOf(gateway)}/` }
    {
      await using running = await run(({ app }) => {
        app.get('/mine', openRoute({ summary: 'Show mine', scope: 'catalog:read' }), (c) =>
          c.json(currentScope()?.asker ?? null),
        )
        app.get('/undeclared', (c) => c.text('never'))
      }, variables)
      const ask = async (audience: string, scope: string, path = '/mine') => {
        const token = await authority.mint({ subject: 'ann', audience, scopes: [scope] })
        return fetch(`${running.url}${path}`, { headers: { authorization: `Bearer ${token}` } })
      }
      expect((await fetch(`${running.url}/mine`)).status).toBe(401)
      expect((await ask('billing', 'catalog:read')).status).toBe(401)
      expect((await ask('catalog', 'catalog:write')).status).toBe(403)
      expect((await ask('catalog', 'catalog:read', '/undeclared')).status).toBe(403)
      expect(await (await ask('catalog', 'catalog:read')).json()).toMatchObject({ is: 'user', subject: 'ann' })
      expect((await fetch(`${running.url}/health`)).status).toBe(200)
    }
    gateway.closeAllConnections()
    gateway.close()
  })

  it('does not start without a good token', async () => {
    const variables = { MSVC_TOKEN_FILE: join(folder, 'none'), GATEWAY_URL: 'http://127.0.0.1:1' }
    await expect(run(() => {}, variables)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
