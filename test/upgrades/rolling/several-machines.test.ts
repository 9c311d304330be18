import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import * as z from 'zod'
import { unpackRelease } from '../../../release/keepsakes.ts'
import { VERSION } from '../../../src/cli/session/version.ts'
import { startNats } from '../../servers/nats.ts'
import { startPostgres, UNSYNCED } from '../../servers/postgres.ts'
import { isHere } from '../../servers/programs.ts'
import { startRedis } from '../../servers/redis.ts'
import { freePort } from '../../servers/server.ts'
import { keptVersions } from '../kept-versions.ts'
import { makeNextVersion, NEXT_MIGRATION } from '../next-version.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-rolling-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Two of each, in the order in which they are started, and replaced. */
const ROLES = ['registry', 'broker', 'user', 'order', 'payment', 'gateway']
/** Requests a second, of which each third is an order. */
const PER_SECOND = 30

/** Of a user or an order; whatever else there is has none of it. */
const Body = z.looseObject({ id: z.int().optional(), status: z.union([z.string(), z.int()]).optional() }).catch({})

type Variables = Readonly<Record<string, string>>

/** A role as on a machine of its own. */
interface Machine {
  readonly role: string
  readonly url: string
  /** Stops what runs there, in order, and starts another version in its place. */
  replace(program: string): Promise<void>
  end(): Promise<void>
}

async function startMachine(program: string, role: string, data: string, env: Variables): Promise<Machine> {
  async function start(what: string) {
    const variables = { PATH: process.env.PATH, NO_COLOR: '1', MSVC_DATA: data, ...env }
    const child = spawn(process.execPath, [what, 'serve', role, '--json', '--quiet'], {
      cwd: folder,
      env: variables,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (text) => {
      said = (said + text).slice(-4_000)
    })
    const ended = once(child, 'close')
    const first = await Promise.race([once(createInterface(child.stdout), 'line'), ended.then(() => undefined)])
    if (!first) throw new Error(`${data}: ${said}`)
    const { url }: { url: string } = JSON.parse(String(first[0]))
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal)
      const [code]: (number | null)[] = await ended
      return code ?? null
    }
    return { url, end }
  }
  let running = await start(program)
  const { url } = running
  return {
    role,
    url,
    async replace(next) {
      expect(await running.end('SIGTERM')).toBe(0)
      running = await start(next)
    },
    end: async () => void (await running.end('SIGKILL')),
  }
}

/** The last migration that the user service's tables have seen. */
async function lastMigration(url: string): Promise<unknown> {
  const client = new Client(url)
  await client.connect()
  try {
    const { rows } = await client.query('select name from "user-service".kysely_migration order by name desc limit 1')
    return rows[0]?.name
  } finally {
    await client.end()
  }
}

/** A version that is replaced, and the one that it is replaced by. */
interface Replaced {
  readonly from: string
  readonly to: string
  /** Their programs, scripts for node. */
  readonly old: string
  readonly next: string
  /** What the tables have seen at the end. */
  readonly migration: string
}

const PAIRS: readonly (readonly [name: string, replaced: () => Promise<Replaced>])[] = [
  [
    'the newest that was kept by this one',
    async () => {
      const kept = await unpackRelease(keptVersions().at(-1) ?? '', mkdtempSync(join(folder, 'kept-')))
      return {
        ...{ from: kept.version, to: VERSION, old: kept.program, next: inject('program') },
        migration: '2026-01-02-demo-users',
      }
    },
  ],
  [
    'this one by the next, which adds to tables',
    async () => {
      const { program, version } = await makeNextVersion(join(folder, 'next'))
      return {
        ...{ from: VERSION, to: version, old: inject('program'), next: program },
        migration: NEXT_MIGRATION,
      }
    },
  ],
]

it.runIf(isHere('postgres', 'nats-server', 'redis-server')).each(PAIRS)(
  'replaces one process after the other under load, %s: no request fails, and no order is lost',
  { timeout: 300_000 },
  async (_, replaced) => {
    const { from, to, old, next, migration } = await replaced()
    const place = mkdtempSync(join(folder, 'machines-'))
    await using postgres = await startPostgres({ config: UNSYNCED })
    await using nats = await startNats()
    await using redis = await startRedis()
    const key = join(place, 'signing.json')
    const msvc = async (...args: string[]) => {
      const env = { PATH: process.env.PATH, MSVC_AUTH_MODE: 'token', MSVC_KEY_FILE: key }
      return (await promisify(execFile)(process.execPath, [next, ...args], { cwd: folder, env })).stdout.trim()
    }
    await msvc('keys', 'new', '--out', key, '--quiet')
    const registries = [await freePort(), await freePort()]
    const shared = {
      ...{ DATABASE_URL: postgres.url, NATS_URL: nats.url, REDIS_URL: redis.url },
      ...{ MSVC_AUTH_MODE: 'token', MSVC_KEY_FILE: key },
      REGISTRY_URL: registries.map((port) => `http://127.0.0.1:${port}`).join(),
    }
    const machines: Machine[] = []
    try {
      for (const role of ROLES)
        for (const replica of [0, 1]) {
          // whoever has its address finds it there again
          const port = role === 'registry' ? registries[replica] : await freePort()
          machines.push(
            await startMachine(old, role, join(place, `${role}-${replica}`), { ...shared, PORT: String(port) }),
          )
        }
      const open = new Set(machines.filter(({ role }) => role === 'gateway').map(({ url }) => url))
      const scopes = 'users:write,orders:read,orders:write'
      const token = await msvc('token', '--subject', 'ann', '--scope', scopes)
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      let asked = 0
      const ask = async (path: string, body?: object) => {
        const gateways = [...open]
        const init = body && { method: 'POST', body: JSON.stringify(body) }
        const answer = await fetch(`${gateways[asked++ % gateways.length]}/gateway/api${path}`, { ...init, headers })
        return { status: answer.status, body: Body.parse(await answer.json()) }
      }
      const user = await ask('/users', { username: 'ann', email: 'ann@example.com' })
      expect(user.status).toBe(201)

      const placed: number[] = []
      const failed: string[] = []
      const underWay = new Set<Promise<void>>()
      const one = async () => {
        const isOrder = asked % 3 === 0
        try {
          const { status, body } = isOrder
            ? await ask('/orders', { user_id: user.body.id, product_name: 'Laptop', quantity: 1 })
            : await ask('/users?limit=5')
          if (status === 201 && body.id !== undefined) placed.push(body.id)
          else if (status !== 200) failed.push(`${status} ${JSON.stringify(body)}`)
        } catch (fault) {
          failed.push(String(fault))
        }
      }
      const timer = setInterval(() => {
        const asking = one().finally(() => underWay.delete(asking))
        underWay.add(asking)
      }, 1_000 / PER_SECOND)
      try {
        for (const machine of machines) {
          // as whatever balances them does by /readyz
          open.delete(machine.url)
          await machine.replace(next)
          if (machine.role === 'gateway') open.add(machine.url)
        }
      } finally {
        clearInterval(timer)
        await Promise.all(underWay)
      }
      expect(failed, `from ${from} to ${to}`).toEqual([])
      expect(placed.length).toBeGreaterThan(20)
      const unpaid = async () => {
        const states = await Promise.all(placed.map(async (id) => (await ask(`/orders/${id}`)).body.status))
        return states.filter((status) => status !== 'paid')
      }
      await expect.poll(unpaid, { timeout: 60_000, interval: 500 }).toEqual([])
      expect(await lastMigration(postgres.url)).toBe(migration)
    } finally {
      await Promise.all(machines.map((machine) => machine.end()))
    }
  },
)
