import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { UP_ROLE_NAMES } from '../../../src/roles/catalog.ts'

const MAIN = inject('program')
const PER_SECOND = 30
const BACKUPS = 5
/** Orders before the first: a platform that has just begun is slow by itself. */
const WARM_UP = 2 * PER_SECOND
/** The bar for the longest answer while a backup is taken, milliseconds; or twice what one takes without, where the machine is as busy as that. */
const LONGEST_MS = 1_000
const TIMEOUT_MS = 180_000

const folder = mkdtempSync(join(tmpdir(), 'msvc-backup-e2e-'))
const environment = { PATH: process.env.PATH, NO_COLOR: '1', TMPDIR: folder }

interface Running {
  readonly child: ChildProcess
  url(role: string): string
  stop(): Promise<void>
}

const running = new Set<ChildProcess>()
beforeAll(() => {
  writeFileSync(join(folder, 'free.yaml'), UP_ROLE_NAMES.map((role) => `${role}: { port: 0 }\n`).join(''))
})
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const common = (data: string) => ['--config', 'free.yaml', '--data', data]

async function msvc(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], { cwd: folder, env: environment })
  return stdout
}

/** Starts a platform beside this process, and waits until it is ready. */
async function up(data: string, ...flags: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [MAIN, 'up', '--json', '--quiet', ...flags, ...common(data)], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.add(child)
  const ended = once(child, 'exit').then(() => running.delete(child))
  const [line] = await once(createInterface(child.stdout), 'line')
  const { roles }: { roles: { role: string; url: string }[] } = JSON.parse(line)
  return {
    child,
    url: (role) => roles.find((one) => one.role === role)?.url ?? '',
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function rows(data: string, name: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(join(folder, data, `${name}.db`), { timeout: 5_000 })
  try {
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}

const count = (data: string, name: string, what: string) =>
  Number(rows(data, name, `select count(*) as count from ${what}`)[0]?.count)

/** An order that a client got a 201 for, and when. */
interface Taken {
  readonly id: number
  readonly product: string
  readonly at: number
}

/** Places orders through the gateway, so many a second whatever becomes of them. */
async function placeOrders(platform: Running, token: string) {
  const post = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(`${platform.url('gateway')}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    return { status: answer.status, body: JSON.parse(await answer.text()) }
  }
  const user = await post('/gateway/api/users', { username: 'ann', email: 'ann@example.com' })
  const taken: Taken[] = []
  const failed: unknown[] = []
  const answers: { readonly from: number; readonly to: number }[] = []
  const underWay = new Set<Promise<void>>()
  let sent = 0
  async function place(product: string) {
    const from = performance.now()
    try {
      const { status, body } = await post('/gateway/api/orders', {
        user_id: user.body.id,
        product_name: product,
        quantity: 1,
      })
      answers.push({ from, to: performance.now() })
      if (status === 201) taken.push({ id: body.id, product, at: performance.now() })
      else failed.push(body)
    } catch (fault) {
      failed.push(fault)
    }
  }
  const timer = setInterval(() => {
    const one = place(`product-${sent++}`).finally(() => underWay.delete(one))
    underWay.add(one)
  }, 1_000 / PER_SECOND)
  return {
    taken,
    failed,
    longest: (since: number) =>
      Math.max(0, ...answers.filter(({ to }) => to >= since).map(({ from, to }) => to - from)),
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
    },
  }
}

interface Backup {
  readonly name: string
  /** What was acknowledged before it began. */
  readonly before: readonly Taken[]
  readonly longestMs: number
  /** The same in the time before it. */
  readonly usualMs: number
  readonly heldMs: number
}

describe('a backup of a platform that takes orders', () => {
  let backups: Backup[]
  let lastId: number

  beforeAll(async () => {
    const platform = await up('data')
    const token = await msvc('token', '--subject', 'ann', '--scope', 'users:write,orders:write', ...common('data'))
    const orders = await placeOrders(platform, token.trim())
    backups = []
    await vi.waitUntil(() => orders.taken.length >= WARM_UP, { timeout: 20_000 })
    let last = performance.now()
    for (let n = 1; n <= BACKUPS; n++) {
      const wanted = orders.taken.length + PER_SECOND
      await vi.waitUntil(() => orders.taken.length >= wanted, { timeout: 20_000 })
      const usualMs = orders.longest(last)
      const since = performance.now()
      const before = [...orders.taken]
      const said = await msvc('backup', `backup-${n}.tar.gz`, '--json', ...common('data'))
      // requests that were held up have had their answer
      const seen = orders.taken.length
      await vi.waitUntil(() => orders.taken.length > seen + 1, { timeout: 20_000 })
      const heldMs = JSON.parse(said).held_ms
      last = performance.now()
      backups.push({ name: `backup-${n}.tar.gz`, before, heldMs, usualMs, longestMs: orders.longest(since) })
    }
    await orders.stop()
    expect(orders.failed).toEqual([])
    lastId = Math.max(...orders.taken.map(({ id }) => id))
    await platform.stop()
  }, TIMEOUT_MS)

  it('keeps no request waiting', () => {
    for (const { name, longestMs, usualMs, heldMs } of backups) {
      const [longest, usual] = [longestMs, usualMs].map(Math.round)
      process.stdout.write(`${name}: longest answer ${longest} ms (${usual} ms without), locks held for ${heldMs} ms\n`)
    }
    for (const { longestMs, usualMs } of backups) expect(longestMs).toBeLessThan(Math.max(LONGEST_MS, 2 * usualMs))
    for (const { heldMs } of backups) expect(heldMs).toBeLessThan(LONGEST_MS)
  })

  it('leaves nothing but the archives', () => {
    expect(readdirSync(folder).sort()).toEqual([...backups.map(({ name }) => name), 'data', 'free.yaml'])
  })

  it(
    'brings back every order that was acknowledged before it, each of which is paid once in the end',
    async () => {
      const underWay: number[] = []
      for (const [index, { name, before }] of backups.entries()) {
        const data = `restored-${index}`
        await msvc('restore', name, '--json', ...common(data))
        underWay.push(count(data, 'order-service', "orders where status = 'pending'"))
        const kept = new Map(
          rows(data, 'order-service', 'select id, product_name from orders').map((row) => [row.id, row.product_name]),
        )
        expect(before.filter(({ id, product }) => kept.get(id) !== product)).toEqual([])

        const platform = await up(data, '--in-process')
        const settled = () =>
          count(data, 'order-service', "orders where status <> 'paid'") === 0 &&
          count(data, 'order-service', 'outbox') === 0 &&
          count(data, 'payment-service', 'outbox') === 0
        await vi.waitUntil(settled, { timeout: 20_000, interval: 50 })
        const body = JSON.stringify({ user_id: 1, product_name: 'later', quantity: 1 })
        const headers = { 'content-type': 'application/json' }
        const answer = await fetch(`${platform.url('order')}/api/orders`, { method: 'POST', headers, body })
        const later: { id: number } = JSON.parse(await answer.text())
        expect(later.id).toBeGreaterThan(lastId)
        await vi.waitUntil(settled, { timeout: 20_000, interval: 50 })
        const dead = await fetch(`${platform.url('broker')}/broker/dead-letters`)
        expect(await dead.json()).toMatchObject({ dead_letters: [] })
        await platform.stop()

        const orders = rows(data, 'order-service', 'select uuid from orders order by uuid').map(({ uuid }) => uuid)
        const charged = rows(
          data,
          'payment-service',
          "select order_key from payments where status = 'success' order by order_key",
        )
        expect(charged.map(({ order_key: key }) => key)).toEqual(orders)
        for (const file of readdirSync(join(folder, data)).filter((one) => one.endsWith('.db'))) {
          expect(rows(data, file.slice(0, -3), 'pragma integrity_check'), file).toEqual([{ integrity_check: 'ok' }])
        }
      }
      process.stdout.write(`orders under way in each backup: ${underWay.join(', ')}\n`)
    },
    TIMEOUT_MS,
  )

  it('leaves no half file when it is interrupted', async () => {
    const before = readdirSync(folder)
    const child = spawn(process.execPath, [MAIN, 'backup', 'interrupted.tar.gz', ...common('data')], {
      cwd: folder,
      env: environment,
      stdio: 'ignore',
    })
    const ended = once(child, 'exit')
    const works = () => readdirSync(folder).some((name) => name.startsWith('.msvc-backup-'))
    await vi.waitUntil(() => works() || child.exitCode !== null, { timeout: 20_000, interval: 1 })
    child.kill('SIGINT')
    await ended
    expect(readdirSync(folder).filter((name) => !name.startsWith('interrupted'))).toEqual(before)
  })
})
