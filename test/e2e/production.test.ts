import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { describe, expect, inject, it } from 'vitest'
import { startNats } from '../servers/nats.ts'
import { startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'
import { startRedis } from '../servers/redis.ts'

const run = promisify(execFile)
const MAIN = inject('program')
const CONFIG = join(import.meta.dirname, '../../configs/production.yaml')
/** Below the ports that are looked for as free ones, and those that the system gives to outgoing connections. */
const OFFSET = 2_000 + (process.pid % 80) * 100
const PAIRED = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment']
/** How long it may take on a busy machine until the platform does what it should. */
const PATIENCE = { timeout: 60_000, interval: 100 }

interface Unit {
  readonly unit: string
  readonly pid?: number
}

describe.skipIf(!isHere('postgres', 'nats-server', 'redis-server'))('configs/production.yaml', () => {
  it('runs two replicas of each role on PostgreSQL, NATS and Redis, whichever of them is killed', {
    timeout: 480_000,
  }, async () => {
    await using postgres = await startPostgres({ config: UNSYNCED })
    await using nats = await startNats()
    await using redis = await startRedis()
    const folder = mkdtempSync(join(tmpdir(), 'msvc-production-'))
    const data = join(folder, 'data')
    const env = { PATH: process.env.PATH, DATABASE_URL: postgres.url, NATS_URL: nats.url, REDIS_URL: redis.url }
    const common = ['--config', CONFIG, '--data', data]
    const scale = PAIRED.map((role) => `${role}=2`).join(',')
    const up = spawn(
      process.execPath,
      [MAIN, 'up', '--json', '--quiet', '--scale', scale, '--port-offset', String(OFFSET), ...common],
      { env, stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const ended = once(up, 'exit')
    try {
      const [ready] = await once(createInterface(up.stdout), 'line')
      const units = (JSON.parse(ready).roles as Unit[]).map(({ unit }) => unit)
      expect(units.toSorted()).toEqual([...PAIRED, ...PAIRED.map((role) => `${role}-2`), 'gateway'].toSorted())

      const scopes = 'users:write,orders:read,orders:write'
      const minted = await run(process.execPath, [MAIN, 'token', '--subject', 'ann', '--scope', scopes, ...common], {
        env,
      })
      const headers = { authorization: `Bearer ${minted.stdout.trim()}`, 'content-type': 'application/json' }
      const ask = async (path: string, body?: unknown) => {
        const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
        const signal = AbortSignal.timeout(20_000)
        const url = `http://127.0.0.1:${8_000 + OFFSET}/gateway/api${path}`
        const answer = await fetch(url, { ...init, headers, signal }).catch(() => undefined)
        const text = await answer?.text().catch(() => '')
        return { status: answer?.status ?? 0, body: text ? JSON.parse(text) : {} }
      }
      const user = await ask('/users', { username: 'ann', email: 'ann@example.com' })
      expect(user.status).toBe(201)
      let paid = 0
      /** Places an order, as often as it takes until one is taken, and waits until it is paid. */
      async function order(): Promise<void> {
        const wanted = { user_id: user.body.id, product_name: `after ${paid} others`, quantity: 1 }
        let id = 0
        await expect
          .poll(async () => {
            const { status, body } = await ask('/orders', wanted)
            id = body.id
            return status
          }, PATIENCE)
          .toBe(201)
        await expect.poll(async () => (await ask(`/orders/${id}`)).body.status, PATIENCE).toBe('paid')
        paid++
      }

      await order()
      for (const unit of units) {
        const { roles }: { roles: Unit[] } = JSON.parse(readFileSync(join(data, 'run.json'), 'utf8'))
        const pid = roles.find((one) => one.unit === unit)?.pid
        if (pid !== undefined) process.kill(pid, 'SIGKILL')
        await order()
      }
      expect(paid).toBe(units.length + 1)
    } finally {
      up.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
