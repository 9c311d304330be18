import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import manifest from '../../package.json' with { type: 'json' }
import { leastTime } from '../least-time.ts'
import { type Copy, copyExecutable, isAlive, type Platform, ROLES, startPlatform, until } from './executable.ts'

const Made = z.object({ id: z.int(), status: z.string().optional() })
const Listed = z.object({ units: z.array(z.object({ unit: z.string(), pid: z.int().nullable() })) })

let copy: Copy
beforeAll(async () => {
  copy = await copyExecutable()
}, 120_000)
afterAll(() => copy?.remove())

describe('the executable alone', () => {
  it('says its version', async () => {
    expect(await copy.run('--version')).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' })
  })

  it('explains itself and each command, with examples', async () => {
    const { out } = await copy.run('--help')
    const commands = [...out.matchAll(/^ {2}([a-z][a-z-]*)\b.* {2}/gm)]
      .map(([, name]) => name ?? '')
      .filter((name) => name !== 'help')
    expect(commands).toEqual(
      expect.arrayContaining(['up', 'serve', 'check', 'health', 'token', 'logs', 'trace', 'publish']),
    )
    for (const command of commands) expect((await copy.run('help', command)).out, command).toContain('Examples:')
  })

  it('checks its configuration', async () => {
    expect(await copy.run('check')).toMatchObject({ code: 0, err: '' })
    writeFileSync(join(copy.folder, 'bad.yaml'), 'gateway:\n  port: 80000\nuser:\n  prot: 1\norder:\n  port: 8003\n')
    const { code, out, err } = await copy.run('check', '--config', 'bad.yaml')
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err.trim().split('\n')).toEqual([
      'error: bad.yaml:2: gateway.port: expected a whole number from 0 to 65535, got 80000',
      'error: bad.yaml:4: user.prot: unknown key; did you mean port?',
      "error: bad.yaml:6: order.port: 8003 is payment's port too; give each role its own",
    ])
  })

  it.each([
    [['serve', 'gatway'], 2, /no role gatway; did you mean gateway\?/],
    [['check', '--config', 'none.yaml'], 2, /none\.yaml: no such file/],
    [['publish', 'order.created', '{bad'], 2, /is not JSON/],
    [['bogus'], 2, /unknown command 'bogus'/],
    [['up', '--scale', 'user'], 2, /--scale wants name=replicas/],
    [
      ['publish', 'order.created', '{}'],
      1,
      /broker isn't running at http:\/\/127\.0\.0\.1:8300, which is only where the configuration has it: no platform runs on .*; start it with msvc up/,
    ],
  ])('says in one line what is wrong with %j', async (args, code, message) => {
    const outcome = await copy.run(...args)
    expect(outcome).toMatchObject({ code, out: '', err: expect.stringMatching(message) })
    expect(outcome.err).not.toMatch(/^\s+at /m)
  })
})

describe('msvc up', () => {
  let platform: Platform
  beforeAll(async () => {
    platform = await startPlatform(copy)
  })
  afterAll(() => platform?.end('SIGKILL'))

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(new URL(path, platform.url('gateway')), {
      ...init,
      headers: { authorization: `Bearer ${platform.token}`, 'content-type': 'application/json' },
    })
  const order = async (name: string) => {
    const user = await ask('/gateway/api/users', {
      method: 'POST',
      body: JSON.stringify({ username: name, email: `${name}@example.com` }),
    })
    const { id } = Made.parse(await user.json())
    const body = JSON.stringify({ user_id: id, product_name: 'Laptop', quantity: 1 })
    const placed = await ask('/gateway/api/orders', { method: 'POST', body })
    expect(placed.status).toBe(201)
    const trace = placed.headers.get('x-trace-id') ?? ''
    return { user: id, order: Made.parse(await placed.json()).id, trace }
  }
  const paid = (id: number) =>
    until(
      async () => Made.parse(await (await ask(`/gateway/api/orders/${id}`)).json()),
      ({ status }) => status === 'paid',
    )

  it('takes an order on its whole way, and tells of it', async () => {
    const { user, order: id, trace } = await order('ann')
    await paid(id)
    const joined = await (await ask(`/gateway/api/users/${user}/orders`)).json()
    expect(joined).toMatchObject({ user: { username: 'ann' }, orders: [{ id, status: 'paid' }] })

    const services = ['api-gateway', 'order-service', 'user-service', 'broker', 'payment-service']
    await until(
      async () => (await copy.run('trace', trace)).out,
      (out) => [...services, 'order.created'].every((word) => out.includes(word)),
    )
    const logs = await until(
      async () => (await copy.run('logs', '--trace', trace, '--json')).out,
      (out) => ['api-gateway', 'order-service', 'user-service'].every((service) => out.includes(`"${service}"`)),
    )
    for (const line of logs.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ trace_id: trace })
  })

  it('is found by the other commands, whatever its ports', async () => {
    expect(await copy.run('health')).toMatchObject({ code: 0, err: '' })
    expect((await copy.run('registry', 'list')).out).toMatch(/^payment-service +http:\/\/127\.0\.0\.1:\d+ +healthy/m)
    expect((await copy.run('publish', 'smoke.test', '{"n":1}')).out).toMatch(/^published smoke\.test 1 as /)
    const { out } = await copy.run('subscribe', 'smoke.*', '--from', 'first', '--count', '1', '--json')
    expect(JSON.parse(out)).toMatchObject({ topic: 'smoke.test', payload: { n: 1 } })
    await copy.run('config', 'set', 'order-service', 'default_price', '10')
    expect((await copy.run('config', 'get', 'order-service', 'default_price')).out).toBe('10\n')
  })

  it.each(ROLES)('brings %s back when it is killed: registered, and the journey works within 3 s', async (role) => {
    const killed = platform.roles.find(({ unit }) => unit === role) ?? expect.fail(role)
    const pidNow = async () =>
      Listed.parse(JSON.parse((await copy.run('ps', '--json')).out)).units.find(({ unit }) => unit === role)?.pid
    let attempt = 0
    const back = async () => {
      const pid = (await until(pidNow, (found) => found !== null)) ?? expect.fail(role)
      process.kill(pid, 'SIGKILL')
      const since = performance.now()
      const { order: id } = await until(
        () => order(`${role}-${attempt++}`),
        () => true,
      )
      await paid(id)
      const took = performance.now() - since
      await until(
        async () => (await copy.run('registry', 'list')).out,
        (out) => new RegExp(`${killed.url} +healthy`).test(out),
      )
      return took
    }
    expect(await leastTime(3_000, back)).toBeLessThan(3_000)
  })

  it('refuses a second platform on its data folder', async () => {
    const second = await copy.run('up', '--port-offset', '1')
    expect(second).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/runs on .* already/) })
  })

  it('stops everything on SIGTERM', async () => {
    const { code, err } = await platform.end('SIGTERM')
    expect(code).toBe(0)
    for (const line of err
      .trim()
      .split('\n')
      .filter((text) => text.startsWith('{')))
      JSON.parse(line)
    expect(platform.roles.filter(({ pid }) => isAlive(pid))).toEqual([])
    expect(await copy.run('health')).toMatchObject({ code: 1 })
  })
})

describe('msvc up, killed', () => {
  it('leaves no process behind', async () => {
    const platform = await startPlatform(copy, '--only', 'registry,user', '--data', 'killed')
    await platform.end('SIGKILL')
    await until(
      async () => platform.roles.filter(({ pid }) => isAlive(pid)),
      (alive) => alive.length === 0,
    )
  })
})

describe('msvc up --in-process', () => {
  it('runs every role in one process', async () => {
    const platform = await startPlatform(copy, '--in-process', '--data', 'single')
    expect(new Set(platform.roles.map(({ pid }) => pid))).toEqual(new Set([platform.pid]))
    const answer = await fetch(new URL('/gateway/api/users/1', platform.url('gateway')))
    expect(await answer.json()).toMatchObject({ id: 1 })
    expect(await platform.end('SIGTERM')).toMatchObject({ code: 0 })
  })
})
