import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import {
  currentScope,
  defineService,
  type InboxTable,
  inboxTables,
  type OutboxTable,
  once,
  outboxTables,
  type RunningService,
  route,
} from '../../src/package.ts'
import { UP_ROLE_NAMES } from '../../src/roles/catalog.ts'
import { type Started, start } from './command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-kit-token-'))
const config = join(folder, 'production.yaml')
const ROUTE = '{ prefix: /products, upstream: catalog, methods: { GET: public, POST: [catalog:write] } }'
writeFileSync(
  config,
  `auth: { mode: token, issuer: shop, hosts: [127.0.0.1] }
${UP_ROLE_NAMES.filter((role) => role !== 'gateway')
  .map((role) => `${role}: { port: 0 }\n`)
  .join('')}
gateway: { port: 0, routes: { catalog: ${ROUTE} } }
`,
)

interface Tables extends OutboxTable, InboxTable {
  added: { name: string }
}

const catalog = defineService({
  name: 'catalog',
  async start({ app, store: open, messaging, log }) {
    const store = await open<Tables>({
      '1-added': { up: (db) => db.schema.createTable('added').addColumn('name', 'text').execute() },
      '2-outbox': outboxTables,
      '3-inbox': inboxTables,
    })
    const outbox = messaging.outbox(store)
    messaging.consume({
      topic: 'product.added',
      async handle(event) {
        const { name } = z.object({ name: z.string() }).parse(event.payload)
        await once({ store }, event, async (trx) => {
          await trx.insertInto('added').values({ name }).execute()
        })
        log.info('heard of a product', { name })
      },
    })
    app.get('/products', route({ summary: 'List', scope: 'public' }), async (c) =>
      c.json({ asker: currentScope()?.asker?.is, added: await store.db.selectFrom('added').selectAll().execute() }),
    )
    const body = z.object({ name: z.string() })
    app.post('/products', route({ summary: 'Add', scope: 'catalog:write', body }), async (c) => {
      const data = c.req.valid('json')
      await store.transaction((trx) => outbox.add(trx, { type: 'product.added', data }))
      const asker = currentScope()?.asker
      return c.json({ is: asker?.is, by: asker && 'subject' in asker ? asker.subject : undefined }, 202)
    })
  },
})

const Found = z.object({ entries: z.array(z.unknown()) })

let up: Started
let running: RunningService
const urls = new Map<string, string>()
const url = (role: string) => urls.get(role) ?? ''
const mint = async (...args: readonly string[]) => (await start(folder, 'token', ...args).ended).out.trimEnd()

beforeAll(async () => {
  up = start(folder, 'up', '--in-process', '--config', config, '--json', '--quiet')
  for (const { role, url } of JSON.parse(await up.line).roles) urls.set(role, url)
  const file = join(folder, 'catalog.token')
  writeFileSync(file, await mint('--service', 'catalog'), { mode: 0o600 })
  const variables = { REGISTRY_URL: url('registry'), GATEWAY_URL: url('gateway'), MSVC_TOKEN_FILE: file }
  running = await catalog.start({ variables, folder })
})
afterAll(async () => {
  await running?.stop()
  await up?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const bearer = (token: string) => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' })
const add = async (to: string, name: string, token: string) =>
  fetch(new URL('/products', to), { method: 'POST', headers: bearer(token), body: JSON.stringify({ name }) })

describe('a service made of the kit, in token mode', () => {
  it('is reached through the gateway, and knows who asks', async () => {
    const list = async () => (await fetch(new URL('/products', url('gateway')))).json()
    await expect.poll(list, { interval: 20 }).toEqual({ added: [] })
    const ann = await mint('--subject', 'ann', '--scope', 'catalog:write')
    const added = await add(url('gateway'), 'Laptop', ann)
    expect([added.status, await added.json()]).toEqual([202, { is: 'user', by: 'ann' }])
    expect((await add(url('gateway'), 'Laptop', await mint('--subject', 'bob'))).status).toBe(403)
  })

  it('takes no token that is not for it, nor what callers say of themselves', async () => {
    const own = await mint('--subject', 'ann', '--audience', 'catalog', '--scope', 'catalog:write')
    const other = await mint('--subject', 'ann', '--scope', 'catalog:write')
    const statuses = [await add(running.url, 'Mouse', own), await add(running.url, 'Mouse', other)]
    expect(statuses.map(({ status }) => status)).toEqual([202, 401])
    const headers = { 'x-caller': 'user', 'x-user-id': 'ann', 'content-type': 'application/json' }
    const forged = await fetch(new URL('/products', running.url), { method: 'POST', headers, body: '{"name":"Mouse"}' })
    expect(forged.status).toBe(401)
  })

  it('publishes, handles, and tells the log server', async () => {
    const token = await mint('--subject', 'ann', '--audience', 'catalog', '--scope', 'catalog:write')
    const answer = await add(running.url, 'Desk', token)
    const list = async () =>
      z.object({ added: z.unknown() }).parse(await (await fetch(`${running.url}/products`)).json()).added
    await expect.poll(list, { interval: 20 }).toContainEqual({ name: 'Desk' })
    const logs = `${url('log-server')}/logs?service=catalog&trace_id=${answer.headers.get('x-trace-id')}`
    const reader = bearer(await mint('--subject', 'ops', '--audience', 'log-server', '--scope', 'logs:read'))
    const entries = async () => Found.parse(await (await fetch(logs, { headers: reader })).json()).entries
    await expect
      .poll(entries, { interval: 50 })
      .toContainEqual(expect.objectContaining({ message: 'heard of a product', metadata: { name: 'Desk' } }))
  })
})
