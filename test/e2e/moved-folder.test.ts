import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { controlAddress } from '../../src/kit/supervisor/control-address.ts'
import { connectControl } from '../../src/kit/supervisor/control-client.ts'
import { Look, Moved } from '../../src/kit/supervisor/control-protocol.ts'
import { UP_ROLE_NAMES } from '../../src/roles/catalog.ts'
import { placeOrders } from './order-load.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const PER_SECOND = 200
const MOVES = 5
const BUDGET_MS = 2_000
const TIMEOUT_MS = 120_000

const folder = mkdtempSync(join(tmpdir(), 'msvc-moved-'))
const environment = { PATH: process.env.PATH, NO_COLOR: '1', TMPDIR: folder }
const running = new Set<ChildProcess>()
const never = new AbortController().signal
beforeAll(() => {
  writeFileSync(
    join(folder, 'free.yaml'),
    `log: { level: WARNING }\n${UP_ROLE_NAMES.map((role) => `${role}: { port: 0 }\n`).join('')}`,
  )
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

async function up(data: string, ...flags: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, 'up', '--json', ...flags, ...common(data)], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.add(child)
  const ended = once(child, 'exit').then(() => running.delete(child))
  const [line] = await once(createInterface(child.stdout), 'line')
  const { roles }: { roles: { role: string; url: string; pid: number }[] } = JSON.parse(line)
  return {
    role: (name: string) => roles.find(({ role }) => role === name) ?? { role: name, url: '', pid: 0 },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function rows(data: string, name: string, sql: string) {
  const database = new DatabaseSync(join(data, `${name}.db`), { timeout: 5_000 })
  try {
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}

/** Copies what nobody has open. */
function copyFolder(from: string, to: string) {
  mkdirSync(to, { mode: 0o700 })
  for (const name of readdirSync(from).filter((name) => /\.db(-wal)?$/.test(name)))
    copyFileSync(join(from, name), join(to, name))
  cpSync(join(from, 'keys'), join(to, 'keys'), { recursive: true })
}

describe.for([
  { how: 'a process a role', flags: [] },
  { how: 'all roles in one process', flags: ['--in-process'] },
])('a platform that moves to other folders while it takes orders, $how', ({ flags }) => {
  it('fails no request, keeps none waiting for 2 s, and has every order, paid once', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const data = flags.length === 0 ? 'data' : 'one-process'
    const platform = await up(data, ...flags)
    const token = await msvc('token', '--subject', 'ann', '--scope', 'users:write,orders:write', ...common(data))
    const load = await placeOrders(platform.role('gateway').url, token.trim(), PER_SECOND)
    await vi.waitUntil(() => load.taken.length >= 2 * PER_SECOND, { timeout: 30_000 })
    const control = await connectControl(controlAddress(join(folder, data)))
    const pauses: number[] = []
    const longest: number[] = []
    let place = join(folder, data)
    for (let n = 1; n <= MOVES; n++) {
      const { places, ready } = await control.ask({ do: 'look' }, Look, never)
      expect({ ready, data: places.data }).toEqual({ ready: true, data: place })
      const to = { ...places, data: join(folder, `${data}-${n}`) }
      const since = performance.now()
      const id = `${data}-${n}`
      await control.ask({ do: 'hold', id, to, budget_ms: BUDGET_MS }, z.object({}), never)
      const heldMs = performance.now() - since
      copyFolder(place, to.data)
      const { paused_ms } = await control.ask({ do: 'move', id }, Moved, never)
      pauses.push(paused_ms)
      place = to.data
      const seen = load.taken.length
      await vi.waitUntil(() => load.taken.length >= seen + PER_SECOND, { timeout: 30_000 })
      longest.push(load.longest(since))
      process.stdout.write(
        `${id}: held after ${Math.round(heldMs)} ms, paused ${Math.round(paused_ms)} ms, longest answer ${Math.round(load.longest(since))} ms\n`,
      )
    }
    control.close()
    await load.stop()
    expect(load.failed).toEqual([])
    expect(Math.max(...longest)).toBeLessThan(BUDGET_MS)
    const count = (name: string, what: string) =>
      Number(rows(place, name, `select count(*) as count from ${what}`)[0]?.count)
    await vi.waitUntil(() => count('order-service', "orders where status = 'pending'") === 0, { timeout: 30_000 })
    await platform.stop()
    const orders = new Map(
      rows(place, 'order-service', 'select id, product_name from orders').map((row) => [row.id, row.product_name]),
    )
    expect(load.taken.filter(({ id, product }) => orders.get(id) !== product)).toEqual([])
    expect(count('payment-service', 'payments')).toBe(orders.size)
    expect(count('payment-service', '(select order_id from payments group by order_id having count(*) > 1)')).toBe(0)
    expect(count('bus', 'dead_letters')).toBe(0)
    expect(rows(place, 'order-service', 'pragma integrity_check')).toEqual([{ integrity_check: 'ok' }])
  })
})
