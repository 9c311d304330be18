import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { UP_ROLE_NAMES } from '../../src/roles/catalog.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { type PostgresServer, startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'

const MAIN = inject('program')
const TIMEOUT_MS = 360_000
/** Runs that are killed, and the longest each may take until then, milliseconds. */
const KILLS = 8
const LONGEST_MS = 1_400
/** Orders that are paid, and those that wait to be, before the move. */
const PAID = 15
const PENDING = 10

const folder = mkdtempSync(join(tmpdir(), 'msvc-migrate-e2e-'))
const environment = { PATH: process.env.PATH, NO_COLOR: '1', TMPDIR: folder }
const running = new Set<ChildProcess>()
const sections = UP_ROLE_NAMES.map((role) => `${role}: { port: 0 }\n`).join('')

interface Running {
  url(role: string): string
  stop(): Promise<void>
}

interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

function msvc(...args: readonly string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { cwd: folder, env: environment }, (fault, out, err) => {
      resolve({ code: fault ? Number(fault.code ?? 1) : 0, out, err })
    })
  })
}

async function up(data: string, config: string, ...flags: readonly string[]): Promise<Running> {
  const args = [MAIN, 'up', '--json', '--quiet', '--config', config, '--data', data, ...flags]
  const child = spawn(process.execPath, args, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  const ended = once(child, 'exit').then(() => running.delete(child))
  const [line] = await once(createInterface(child.stdout), 'line')
  const { roles }: { roles: { role: string; url: string }[] } = JSON.parse(line)
  return {
    url: (role) => roles.find((one) => one.role === role)?.url ?? '',
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function ask(url: string, method: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}

const order = (platform: Running, product: string) =>
  ask(`${platform.url('order')}/api/orders`, 'POST', { user_id: 1, product_name: product, quantity: 1 })

function rows(data: string, name: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(join(folder, data, `${name}.db`), { timeout: 5_000 })
  try {
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}

/** What a data folder says of its store and its bus. */
function notesOf(data: string): (string | undefined)[] {
  const path = join(folder, data, 'migration.json')
  const { store, bus } = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
  return [store?.state, bus?.state]
}

const ORDERS = 'select id, product_name, status, uuid from orders order by id'
const SECRET = 'hunter2-very-secret'

describe.skipIf(!isHere('postgres') || !isHere('nats-server'))('a platform that moves to servers and back', () => {
  let postgres: PostgresServer
  let nats: NatsServer
  const onServers = () => ['--store', postgres.url, '--bus', `${nats.url}/shop`]

  async function sql<R extends pg.QueryResultRow>(text: string): Promise<R[]> {
    const client = new pg.Client(postgres.url)
    await client.connect()
    try {
      return (await client.query<R>(text)).rows
    } finally {
      await client.end()
    }
  }

  beforeAll(async () => {
    ;[postgres, nats] = await Promise.all([startPostgres({ config: UNSYNCED }), startNats()])
    writeFileSync(join(folder, 'here.yaml'), sections)
    writeFileSync(join(folder, 'servers.yaml'), `store: ${postgres.url}\nbus: ${nats.url}/shop\n${sections}`)
    const platform = await up('data', 'here.yaml', '--in-process')
    for (let at = 0; at < PAID; at++) expect((await order(platform, `paid ${at}`)).status).toBe(201)
    await ask(`${platform.url('config-server')}/config/shop/production`, 'PUT', { api_key: SECRET, colour: 'red' })
    await vi.waitFor(
      () => expect(rows('data', 'order-service', ORDERS).every(({ status }) => status === 'paid')).toBe(true),
      { timeout: 20_000 },
    )
    await platform.stop()
    const withoutPayment = 'registry,config-server,log-server,broker,user,order'
    const noPayments = await up('data', 'here.yaml', '--in-process', '--only', withoutPayment)
    for (let at = 0; at < PENDING; at++) expect((await order(noPayments, `pending ${at}`)).status).toBe(201)
    await vi.waitFor(() => expect(rows('data', 'order-service', 'select id from outbox')).toEqual([]), 20_000)
    await noPayments.stop()
  }, TIMEOUT_MS)

  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL')
    await Promise.all([postgres[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()])
    rmSync(folder, { recursive: true, force: true })
  })

  it('says what there is to move, and writes nothing', async () => {
    const { code, out, err } = await msvc(
      'migrate',
      ...onServers(),
      '--config',
      'here.yaml',
      '--data',
      'data',
      '--dry-run',
      '--json',
    )
    expect(err).not.toContain('msvc-test')
    expect(code).toBe(0)
    const plan = JSON.parse(out)
    expect(out).not.toContain('msvc-test')
    const orders = plan.store.services.find(({ service }: { service: string }) => service === 'order-service')
    expect(orders.tables).toContainEqual({ name: 'orders', rows: PAID + PENDING })
    expect(await sql("select 1 from pg_namespace where nspname like '%-service'")).toEqual([])
    expect(existsSync(join(folder, 'data', 'migration.json'))).toBe(false)
    // without flags the configuration says where to
    const configured = await msvc('migrate', '--config', 'servers.yaml', '--data', 'data', '--dry-run', '--json')
    expect(JSON.parse(configured.out)).toEqual(plan)
  })

  it('refuses a wrong password, and a way that leads nowhere, in one line', { timeout: TIMEOUT_MS }, async () => {
    const wrong = postgres.url.replace('msvc-test', 'not-this')
    const common = ['--config', 'here.yaml', '--data', 'data']
    const refused = await msvc('migrate', '--store', wrong, ...common)
    expect(refused.code).not.toBe(0)
    expect(refused.err.trim().split('\n')).toHaveLength(1)
    expect(refused.err).toContain('refuses the password')
    expect(refused.err).not.toContain('not-this')
    expect((await msvc('migrate', '--store', 'sqlite:', ...common)).err).toContain('already')
    expect((await msvc('migrate', ...common)).err).toContain('--store')
  })

  it('leaves a platform that goes on there, though it is killed once it has noted that all has left', {
    timeout: TIMEOUT_MS,
  }, async () => {
    cpSync(join(folder, 'data'), join(folder, 'late'), { recursive: true })
    await sql('create database late')
    const late = new URL(postgres.url)
    late.pathname = '/late'
    const move = [
      'migrate',
      '--store',
      late.href,
      '--bus',
      `${nats.url}/late`,
      '--config',
      'here.yaml',
      '--data',
      'late',
    ]
    const reader = new pg.Client(late.href)
    await reader.connect()
    // the last that it does is to take its marks away: it waits for leave to do so
    await reader.query(`
      create function wait_for_leave() returns event_trigger language plpgsql as $$ begin
        perform pg_advisory_xact_lock(1) from pg_event_trigger_dropped_objects()
          where schema_name = 'config-server' and object_name = 'msvc_migration';
      end $$;
      create event trigger leave on sql_drop execute function wait_for_leave();
      select pg_advisory_lock(1)`)
    const child = spawn(process.execPath, [MAIN, ...move], { cwd: folder, env: environment, stdio: 'ignore' })
    running.add(child)
    const exit = once(child, 'exit').then(() => running.delete(child))
    const isMarked = async () => {
      const { rows } = await reader.query(`select to_regclass('"config-server".msvc_migration') is not null as yes`)
      return rows[0].yes
    }
    try {
      await expect.poll(() => notesOf('late'), { timeout: 20_000, interval: 10 }).toEqual(['left', 'left'])
      child.kill('SIGKILL')
      await exit
      await reader.query('select pg_advisory_unlock(1)')
      expect(await isMarked()).toBe(true)
      expect((await msvc(...move)).err).toContain('already')
      writeFileSync(join(folder, 'late.yaml'), `store: ${late.href}\nbus: ${nats.url}/late\n${sections}`)
      const platform = await up('late', 'late.yaml', '--in-process', '--only', 'config-server,broker')
      await ask(`${platform.url('config-server')}/config/shop/production`, 'PUT', { colour: 'green' })
      await platform.stop()
      expect(await isMarked()).toBe(false)
      // what was told it since is not written over
      rmSync(join(folder, 'late', 'migration.json'))
      expect((await msvc(...move)).err).toMatch(/config-server store: the target holds \d+ rows in .* already/)
    } finally {
      await reader.end()
    }
  })

  it('moves through kill -9 at any moment, and pays once what was pending', { timeout: TIMEOUT_MS }, async () => {
    const common = [MAIN, 'migrate', '--data', 'data', '--json']
    const named = [...common, ...onServers(), '--config', 'here.yaml']
    const configured = [...common, '--config', 'servers.yaml']
    const before = rows('data', 'order-service', ORDERS)
    let done: string | undefined
    for (let kill = 0; kill < KILLS && done === undefined; kill++) {
      const args = kill % 2 === 0 ? named : configured
      const child = spawn(process.execPath, args, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
      let out = ''
      child.stdout.on('data', (chunk) => {
        out += chunk
      })
      // and all that it said is here
      const exit = once(child, 'close')
      await Promise.race([exit, sleep(250 + Math.random() * LONGEST_MS)])
      child.kill('SIGKILL')
      const [code] = await exit
      if (code === 0) done = out
    }
    // the last one may have been killed when only what it would have said was left
    if (done === undefined && notesOf('data')[0] !== 'left') {
      const { code, out, err } = await msvc(...configured.slice(1))
      expect(err).not.toContain('error')
      expect(code).toBe(0)
      done = out
    }
    const moved = done === undefined ? undefined : JSON.parse(done)
    if (moved) {
      expect(moved.tables).toContainEqual(expect.objectContaining({ table: 'orders', rows: PAID + PENDING }))
      expect(moved.configuration.store).not.toContain('msvc-test')
    }
    expect(await sql(`select id, product_name, status, uuid from "order-service".orders order by id`)).toEqual(
      before.map((row) => ({ ...row, id: String(row.id) })),
    )

    const refused = await msvc('up', '--config', 'here.yaml', '--data', 'data')
    expect(refused.err).toContain('were moved to postgres://')
    expect(refused.code).not.toBe(0)
    expect((await msvc('migrate', ...onServers(), '--config', 'here.yaml', '--data', 'data')).err).toContain('already')
    const again = await msvc('migrate', '--config', 'servers.yaml', '--data', 'data')
    expect(again.err).toMatch(
      /^error: nothing is left to move: the store is at postgres:.* \(servers.yaml:1\) already, since/,
    )
    expect(again.err).not.toContain('msvc-test')

    const platform = await up('data', 'servers.yaml')
    const unpaid = () => sql(`select id from "order-service".orders where status <> 'paid'`)
    await expect.poll(unpaid).toEqual([])
    expect(
      await sql(
        'select count(*)::int as count, count(distinct order_key)::int as keys from "payment-service".payments',
      ),
    ).toEqual([{ count: PAID + PENDING, keys: PAID + PENDING }])
    const next = await order(platform, 'on servers')
    expect(next).toMatchObject({ status: 201, body: { id: PAID + PENDING + 1 } })
    const config = await ask(`${platform.url('config-server')}/config/shop/production`, 'GET')
    expect(config.status).toBe(200)
    expect(JSON.stringify(config.body)).toContain(SECRET)
    expect(
      (await msvc('migrate', '--from-store', postgres.url, '--data', 'back', '--config', 'here.yaml')).err,
    ).toContain('has it open')
    await expect.poll(unpaid).toEqual([])
    await platform.stop()
  })

  /** A move of a platform that runs, of which nothing is left. */
  async function rehearses(platform: Running) {
    const rehearse = (...args: readonly string[]) =>
      msvc('migrate', '--live', '--dry-run', '--data', 'back', '--config', 'servers.yaml', ...args)
    const taken = await rehearse()
    expect(taken.err).toMatch(/^error: .* holds \d+ rows in .* already/)
    expect(taken.code).not.toBe(0)
    await sql('create database fresh')
    const fresh = new URL(postgres.url)
    fresh.pathname = '/fresh'
    const { code, out } = await rehearse('--store', fresh.href, '--bus', `${nats.url}/fresh`, '--json')
    expect(code).toBe(0)
    const { store, ready, remarks } = JSON.parse(out)
    const orders = store.services.find(({ service }: { service: string }) => service === 'order-service')
    expect(orders.tables).toContainEqual({ name: 'orders', rows: PAID + PENDING + 2 })
    expect(ready).toBe(true)
    expect(remarks).toEqual([expect.stringMatching(/^2 values of the config server in production won't hold where/)])
    const client = new pg.Client(fresh.href)
    await client.connect()
    const { rows: schemas } = await client.query("select 1 from pg_namespace where nspname like '%-service'")
    await client.end()
    expect(schemas).toEqual([])
    expect((await order(platform, 'still here')).status).toBe(201)
  }

  it('comes back, with what came since', { timeout: TIMEOUT_MS }, async () => {
    const way = ['--from-store', postgres.url, '--from-bus', `${nats.url}/shop`]
    const { code, err } = await msvc('migrate', ...way, '--config', 'here.yaml', '--data', 'back')
    expect(err).not.toContain('error')
    expect(err).toContain("put the platform's keys/ into")
    expect(code).toBe(0)
    cpSync(join(folder, 'data', 'keys'), join(folder, 'back', 'keys'), { recursive: true })
    const orders = rows('back', 'order-service', ORDERS)
    expect(orders).toHaveLength(PAID + PENDING + 1)
    expect(orders.every(({ status }) => status === 'paid')).toBe(true)
    expect(readdirSync(join(folder, 'back'))).not.toContain('migration.json')

    const platform = await up('back', 'here.yaml')
    expect((await order(platform, 'back')).body).toMatchObject({ id: PAID + PENDING + 2 })
    await vi.waitFor(
      () => expect(rows('back', 'order-service', ORDERS).every(({ status }) => status === 'paid')).toBe(true),
      { timeout: 20_000 },
    )
    expect(rows('back', 'payment-service', 'select count(*) as count from payments')[0]?.count).toBe(PAID + PENDING + 2)
    await rehearses(platform)
    await platform.stop()

    const back = ['--store', 'sqlite:', '--bus', 'embedded:']
    const again = await msvc('migrate', ...back, '--config', 'servers.yaml', '--data', 'data')
    expect(again.err).toContain('What stood in the way is in')
    expect(again.err).toContain('keep it')
    expect(again.code).toBe(0)
    expect(existsSync(join(folder, 'data', 'migration.json'))).toBe(false)
    expect(readFileSync(join(folder, 'data', 'order-service.db')).length).toBeGreaterThan(0)
  })
})
