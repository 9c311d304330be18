import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import * as z from 'zod'
import manifest from '../../package.json' with { type: 'json' }

const root = join(import.meta.dirname, '../..')
const MSVC = join(root, 'dist/msvc')
const execute = promisify(execFile)
/** A clone as far as the shop sees it: what somebody has installed in the example's own folder is of another day. */
const clone = mkdtempSync(join(tmpdir(), 'msvc-shop-'))
const shop = join(clone, 'examples/shop')
const data = join(clone, 'data')
const GATEWAY = 'http://127.0.0.1:12000'

const msvc = async (...args: readonly string[]) =>
  (await execute(MSVC, [...args, '--data', data], { cwd: shop })).stdout.trim()

let up: ChildProcess
beforeAll(async () => {
  await execute(process.execPath, [join(root, 'build/package.ts')])
  const tarball = `msvc-${manifest.version}.tgz`
  mkdirSync(join(clone, 'dist'))
  copyFileSync(join(root, 'dist', tarball), join(clone, 'dist', tarball))
  const isInstalled = /[\\/](?:node_modules|\.data|\.msvc)$/
  cpSync(join(root, 'examples/shop'), shop, { recursive: true, filter: (path) => !isInstalled.test(path) })
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
  up = spawn(MSVC, ['up', '--json', '--port-offset', '4000', '--data', data], {
    cwd: shop,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (!up.stdout) throw new Error('a pipe is asked for')
  await once(createInterface(up.stdout), 'line')
  await vi.waitUntil(
    async () => {
      const { units } = Listed.parse(JSON.parse(await msvc('ps', '--json')))
      return units.every(({ state }) => state === 'ready')
    },
    { timeout: 180_000, interval: 500 },
  )
}, 300_000)
afterAll(async () => {
  up?.kill('SIGTERM')
  if (up && up.exitCode === null) await once(up, 'exit')
  rmSync(clone, { recursive: true, force: true })
})

it('is locked without a digest of the package, which is built here', () => {
  const { packages } = Lock.parse(JSON.parse(readFileSync(join(root, 'examples/shop/stock/package-lock.json'), 'utf8')))
  expect(packages['node_modules/msvc']).toEqual({ version: manifest.version })
})

const Lock = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })),
})
const Listed = z.object({ units: z.array(z.object({ unit: z.string(), state: z.string() })) })
const Trace = z.object({ spans: z.array(z.object({ service: z.string(), operation: z.string() })) })
const Sold = z.object({ product_id: z.int(), price: z.number(), name: z.string(), left: z.int() })

it('sells a laptop: one trace holds Node, Python, TypeScript, the event and the shell script, and the lines that each wrote', {
  timeout: 120_000,
}, async () => {
  const order = (headers: Readonly<Record<string, string>>) =>
    fetch(`${GATEWAY}/shop/orders`, { method: 'POST', headers, body: '{"product_id":7}' })
  expect((await order({})).status).toBe(401)
  const token = await msvc('token', '--subject', 'ann', '--scope', 'shop:buy')
  const answer = await order({ authorization: `Bearer ${token}` })
  expect(answer.status).toBe(201)
  expect(Sold.parse(await answer.json())).toMatchObject({ product_id: 7, price: 999.9, name: 'Laptop' })
  const traceId = answer.headers.get('x-trace-id') ?? ''
  const spans = await vi.waitUntil(
    async () => {
      const found = await msvc('trace', traceId, '--json').catch(() => undefined)
      const parsed = found === undefined ? undefined : Trace.parse(JSON.parse(found)).spans
      return parsed?.some(({ service }) => service === 'dispatch') && parsed.length >= 9 ? parsed : undefined
    },
    { timeout: 30_000, interval: 500 },
  )
  expect(spans.map(({ service, operation }) => `${service}: ${operation}`).sort()).toEqual([
    'api-gateway: POST /shop/*',
    'broker: POST /broker/publish/:topic',
    'broker: publish shop.sold',
    'catalog: GET /products/7',
    'dispatch: dispatch',
    'front: POST /orders',
    'outbound: GET front->catalog',
    'outbound: POST front->stock',
    'stock: POST /stock/:id/take',
  ])
  // each sends its lines when it likes
  await vi.waitFor(
    async () => {
      const lines = await msvc('logs', '--trace', traceId)
      for (const line of [
        'front           sold Laptop',
        'catalog         asked for /products/7',
        'stock           took one',
        'dispatch        product 7 is on its way',
      ])
        expect(lines).toContain(line)
    },
    { timeout: 20_000, interval: 500 },
  )
})
