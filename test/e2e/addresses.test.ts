import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { portOf } from '../../src/kit/http/port-of.ts'
import { LOOPBACK_CERTIFICATE } from '../../src/kit/http/testing/loopback-certificate.ts'
import { type Booted, boot } from './boot.ts'
import { type Started, start } from './command-line.ts'

const ROLES = ['registry', 'config-server', 'log-server', 'broker', 'user', 'payment']
const SERVICES = ['registry', 'config-server', 'log-server', 'broker', 'user-service']
const Order = z.object({ id: z.int(), status: z.string() })
const Found = z.object({ entries: z.array(z.unknown()) })

const folder = mkdtempSync(join(tmpdir(), 'msvc-addresses-'))
const config = join(folder, 'elsewhere.yaml')
const trusted = getCACertificates('default')

let platform: Booted
let front: Server
const started: Started[] = []

/** Serves a role here that reaches all others as the file says. Gives its URL. */
async function serve(role: string): Promise<string> {
  const serving = start(folder, 'serve', role, '--port', '0', '--config', config, '--json', '--quiet')
  started.push(serving)
  return JSON.parse(await serving.line).url
}

const cli = (...args: readonly string[]) => start(folder, ...args, '--config', config, '--json').ended

beforeAll(async () => {
  platform = await boot(ROLES)
  // what stands in front of services elsewhere: TLS, and a path for each
  front = createServer(LOOPBACK_CERTIFICATE, (incoming, outgoing) => {
    const [, role = '', path = ''] = /^\/([a-z-]+)\/base(\/.*)$/.exec(incoming.url ?? '') ?? []
    if (path === '') return outgoing.writeHead(421).end()
    const { method, headers } = incoming
    const url = new URL(path, platform.url(role.replace('-service', '')))
    const passed = request(url, { method, headers: { ...headers, host: url.host }, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      outgoing.flushHeaders()
      answer.pipe(outgoing)
    })
    passed.on('error', () => outgoing.destroy())
    outgoing.on('close', () => passed.destroy())
    incoming.pipe(passed)
  })
  await once(front.listen(0, '127.0.0.1'), 'listening')
  const address = `https://localhost:${portOf(front)}`
  writeFileSync(config, `services:\n${SERVICES.map((name) => `  ${name}: ${address}/${name}/base\n`).join('')}`)
  setDefaultCACertificates([...trusted, LOOPBACK_CERTIFICATE.cert])
})
afterAll(async () => {
  await Promise.all(started.map((one) => one.stop()))
  setDefaultCACertificates(trusted)
  front?.closeAllConnections()
  front?.close()
  await platform?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

describe('addresses with TLS and a base path', () => {
  it('are called as they are written by services: registry, user, broker and logs', async () => {
    const order = await serve('order')
    const made = await fetch(`${order}/api/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: 1, product_name: 'Laptop', quantity: 1 }),
    })
    expect(made.status).toBe(201)
    const { id } = Order.parse(await made.json())
    const status = async () => Order.parse(await (await fetch(`${order}/api/orders/${id}`)).json()).status
    await expect.poll(status).toBe('paid')
    const known = () => platform.fetch('registry', '/registry/discover/order-service').then(({ status }) => status)
    await expect.poll(known).toBe(200)
    const entries = async () =>
      Found.parse(await (await platform.fetch('log-server', '/logs?service=order-service')).json()).entries.length
    await expect.poll(entries).toBeGreaterThan(0)
  })

  it('are where the gateway sends requests to', async () => {
    const gateway = await serve('gateway')
    expect(await (await fetch(`${gateway}/gateway/api/users/1`)).json()).toMatchObject({ id: 1 })
  })

  it('are called by the command line', async () => {
    expect(await cli('publish', 'far.away', '{"a":1}')).toMatchObject({ code: 0 })
    expect(await cli('config', 'set', 'shop-service', 'far', '1')).toMatchObject({ code: 0 })
    expect((await cli('config', 'get', 'shop-service', 'far')).out).toContain('1')
    expect((await cli('registry', 'list')).out).toContain('user-service')
    const reading = start(
      folder,
      'subscribe',
      'far.away',
      '--from',
      'first',
      '--count',
      '1',
      '--config',
      config,
      '--json',
    )
    expect((await reading.ended).out).toContain('"a":1')
  })
})
