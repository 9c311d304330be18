import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Booted, boot } from './boot.ts'

const ROLES = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway']

/** Where Debian, Ubuntu and Google put it. */
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const NOTICE = CHROMIUM ? '' : ' (skipped: it needs chromium, apt-get install chromium)'

/**
 * Nothing of its own on the network, a name that is as foreign as any but leads here, and no process for each frame: who may read what is the
 * same with one for all.
 */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-site-isolation-trials',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP evil.example 127.0.0.1',
]
const PAGE = `<!doctype html><script>${readFileSync(join(import.meta.dirname, 'foreign-page/page.js'), 'utf8')}</script>`

interface Target {
  readonly method: string
  readonly url: string
  readonly body?: string
  /** Whether it is opened in frames and windows too, and loaded by every kind of element. */
  readonly visited?: true
}

/** What of a subscription was not acknowledged. */
interface Backlog {
  readonly group?: string
  readonly pending: number
  readonly leased: number
}

/** Targets that one page tries. */
const BATCH = 40
/** Chromium's own crashes are no news of the roles. */
const PAGES = 3

/** Servers of a test, each on a free port. */
const servers: Server[] = []
async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

let platform: Booted
let browser: Browser
let pages: number
let subscription: string
beforeAll(async () => {
  platform = await boot(ROLES)
  subscription = await fill()
  pages = await serve((_, answer) => answer.setHeader('content-type', 'text/html').end(PAGE))
  browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: FLAGS, timeout: 120_000 })
}, 180_000)
afterAll(async () => {
  await browser?.close()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await platform?.[Symbol.asyncDispose]()
})

async function post(role: string, path: string, body: unknown): Promise<{ readonly id: string }> {
  const headers = { 'content-type': 'application/json' }
  const answer = await platform.fetch(role, path, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(answer.ok, `${role} ${path}`).toBe(true)
  return (await answer.json()) as { id: string }
}

/** Something of everything that a page might take, read or change. */
async function fill(): Promise<string> {
  const { id } = await post('broker', '/broker/subscriptions', { topic: 'secret.plans', group: 'owners' })
  for (let n = 1; n <= 3; n++) await post('broker', '/broker/publish/secret.plans', { n })
  await post('order', '/api/orders', { user_id: 1, product_name: 'Laptop', quantity: 1 })
  await platform.fetch('config-server', '/config/shop-service/production/colour', { method: 'PUT', body: '"blue"' })
  // what comes of the order is no change by a page
  const get = async (role: string, path: string) => (await platform.fetch(role, path)).json()
  const isOver = async () => {
    const orders = (await get('order', '/api/orders')) as { status: string }[]
    const { subscriptions } = (await get('broker', '/broker/subscriptions')) as { subscriptions: Backlog[] }
    const left = subscriptions.filter(({ group, pending, leased }) => group !== 'owners' && pending + leased > 0)
    return orders.every(({ status }) => status === 'paid') && left.length === 0
  }
  await vi.waitUntil(isOver, { timeout: 20_000 })
  return id
}

/** What the roles hold, without what changes by itself. */
async function state(): Promise<object> {
  const get = async (role: string, path: string) => (await platform.fetch(role, path)).json()
  const { services } = (await get('registry', '/registry/services')) as {
    services: { instances: { id: string; health: string }[] }[]
  }
  return {
    users: await get('user', '/api/users'),
    orders: await get('order', '/api/orders'),
    payments: await get('payment', '/api/payments'),
    topics: await get('broker', '/broker/topics'),
    subscriptions: await get('broker', '/broker/subscriptions'),
    deadLetters: await get('broker', '/broker/dead-letters'),
    configs: await get('config-server', '/config'),
    colours: await get('config-server', '/config/shop-service/production/history'),
    instances: services.flatMap(({ instances }) => instances.map(({ id, health }) => `${id} ${health}`)).sort(),
    forged: await get('log-server', '/logs?service=mallory'),
    forgedTraces: await get('log-server', '/traces?service=mallory'),
  }
}

/** Every route of every role as its OpenAPI document has it, with words that lead to something. */
async function targets(): Promise<readonly Target[]> {
  const found: Target[] = []
  const body = bodyFor(platform.url('user'))
  for (const role of ROLES) {
    const { paths } = (await (await platform.fetch(role, '/openapi.json')).json()) as { paths: Record<string, object> }
    const bases = [platform.url(role)]
    if (role === 'user' || role === 'order') bases.push(`${platform.url('gateway')}/gateway`)
    found.push({ method: 'GET', url: `${platform.url(role)}/health`, visited: true })
    for (const path of ['/metrics', '/openapi.json']) found.push({ method: 'GET', url: platform.url(role) + path })
    for (const [template, methods] of Object.entries(paths)) {
      const path = template
        .replace('{topic}', 'secret.plans')
        .replace('subscriptions/{id}', `subscriptions/${subscription}`)
        .replace('{service}', 'user-service')
        .replace('{environment}', 'production')
        .replace('{key}', 'colour')
        .replace(/\{\w+\}/g, '1')
      for (const method of Object.keys(methods)) {
        for (const base of bases) found.push({ method: method.toUpperCase(), url: base + path, body })
      }
    }
  }
  for (const query of ['group=page', 'group=owners', 'from=first']) {
    found.push({ method: 'GET', url: `${platform.url('broker')}/broker/stream/secret.plans?${query}`, visited: true })
  }
  return found
}

/** A body that each kind of route would take. Its last member is empty, for a form to write on. */
function bodyFor(user: string): string {
  const { port } = new URL(user)
  return JSON.stringify({
    ...{ username: 'mallory', email: 'mallory@example.com', user_id: 1, product_name: 'Laptop', quantity: 1 },
    ...{ service_name: 'user-service', host: '127.0.0.1', port: Number(port), topic: 'mallory.was.here', payload: 1 },
    ...{ level: 'INFO', service: 'mallory', message: 'm', acks: ['x'], version: 1 },
    ...{ trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331', operation: 'o' },
    ...{ start: '2026-01-01T00:00:00Z', duration_ms: 1, note: '' },
  })
}

/** Opens the page under this name and lets it try everything. Gives what it learnt, and what each of its requests was answered. */
async function visit(host: string, tried: readonly Target[]) {
  const context = await browser.newContext()
  const answers: string[] = []
  context.on('response', (answer) => {
    const { port, pathname } = new URL(answer.url())
    const role = ROLES.find((name) => new URL(platform.url(name)).port === port)
    if (role) answers.push(`${answer.status()} ${role} ${answer.request().method()} ${pathname}`)
  })
  const learnt: string[] = []
  for (let begin = 0; begin < tried.length; begin += BATCH) {
    learnt.push(...(await tryAll(context, host, tried.slice(begin, begin + BATCH))))
  }
  await context.close()
  return { learnt, answers }
}

/** Lets a fresh page try these, and another one if it crashes. */
async function tryAll(
  context: BrowserContext,
  host: string,
  tried: readonly Target[],
  pagesLeft = PAGES,
): Promise<readonly string[]> {
  const page = await context.newPage()
  try {
    await page.goto(`http://${host}:${pages}/`)
    return (await page.evaluate(`tryAll(${JSON.stringify(tried)})`)) as readonly string[]
  } catch (fault) {
    if (pagesLeft === 1 || !String(fault).includes('crashed')) throw fault
  } finally {
    await Promise.all(context.pages().map((open) => open.close()))
  }
  return tryAll(context, host, tried, pagesLeft - 1)
}

describe.skipIf(!CHROMIUM && !process.env.CI)(`a page in chromium${NOTICE}`, () => {
  it('really sends what it tries, and sees what it may', { timeout: 120_000 }, async () => {
    const asked = new Set<string>()
    const port = await serve((request, answer) => {
      const way = new URL(request.url ?? '', 'http://x').searchParams.get('way')
      // it also looks for the window's icon, when it finds the time
      if (way !== null) asked.add(`${request.method} ${way}`)
      answer.setHeader('access-control-allow-origin', '*').setHeader('access-control-allow-headers', '*').end('seen')
    })
    const url = `http://localhost:${port}/`
    const { learnt } = await visit('evil.example', [
      { method: 'GET', url, visited: true },
      { method: 'POST', url, body: bodyFor(url) },
    ])
    expect([...asked].sort()).toMatchInlineSnapshot(`
      [
        "GET EventSource",
        "GET WebSocket",
        "GET fetch cors",
        "GET fetch cors with credentials",
        "GET fetch no-cors",
        "GET iframe",
        "GET img",
        "GET prefetch",
        "GET script",
        "GET stylesheet",
        "GET window",
        "HEAD fetch HEAD no-cors",
        "OPTIONS fetch as JSON",
        "POST fetch as JSON",
        "POST fetch as text",
        "POST fetch no-cors",
        "POST form",
        "POST sendBeacon",
      ]
    `)
    expect(learnt).toContain(`fetch cors GET ${url}: 200 seen`)
  })

  it.each(['evil.example', 'localhost'])(
    'of http://%s on another port changes nothing and reads nothing',
    async (host) => {
      // a page's own name for the roles makes it a neighbour of theirs (same-site), another's a stranger (cross-site)
      const name = host === 'localhost' ? host : '127.0.0.1'
      const tried = (await targets()).map((target) => ({ ...target, url: target.url.replace('127.0.0.1', name) }))
      const before = await state()
      const { learnt, answers } = await visit(host, tried)
      expect(answers.length).toBeGreaterThan(tried.length)
      expect(learnt).toEqual([])
      expect(answers.filter((answer) => !/^403 |^\d+ gateway /.test(answer))).toEqual([])
      expect(await state()).toEqual(before)
    },
    240_000,
  )
})
