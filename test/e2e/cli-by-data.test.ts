import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { UP_ROLE_NAMES } from '../../src/roles/catalog.ts'
import { type Said, type Started, start, startWith } from './command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-by-data-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TOKEN_MODE = 'environment: production\nauth: { mode: token, issuer: the-shop }\n'
const config = join(folder, 'production.yaml')
writeFileSync(config, TOKEN_MODE + UP_ROLE_NAMES.map((role) => `${role}: { port: 0 }\n`).join(''))

/** Another terminal, which is told the data folder and nothing else. */
const msvc = (data: string, ...args: readonly string[]): Promise<Said> =>
  start(folder, ...args, '--data', data, '--json').ended

describe('a platform in token mode, by its data folder alone', () => {
  let up: Started
  const urls = new Map<string, string>()
  beforeAll(async () => {
    up = start(folder, 'up', '--in-process', '--config', config, '--data', 'platform', '--json', '--quiet')
    for (const { role, url } of JSON.parse(await up.line).roles) urls.set(role, url)
  })
  afterAll(() => up?.stop())

  /** The first thing a command says, once it has said that it is done. */
  async function answer(...args: readonly string[]): Promise<unknown> {
    const said = await msvc('platform', ...args)
    expect(said).toMatchObject({ code: 0, err: '' })
    return JSON.parse(said.out.split('\n')[0] ?? '')
  }

  it('shows who is there', async () => {
    expect(await answer('health')).toMatchObject({ service: 'registry', status: 'healthy' })
    expect(await answer('registry', 'list')).toMatchObject({ health: 'healthy' })
    // entries are on their way for a moment before they can be found
    const logged = async () => (await msvc('platform', 'logs', '--service', 'registry', '--limit', '1')).out
    await expect.poll(logged, { interval: 50 }).toMatch(/"service":"registry"/)
  })

  it('is found through its registry from elsewhere, as from a container of one of its roles', async () => {
    const environment = {
      ...{ MSVC_AUTH_MODE: 'token', MSVC_AUTH_ISSUER: 'the-shop', MSVC_DATA: 'container' },
      ...{ REGISTRY_URL: urls.get('registry'), MSVC_KEY_FILE: join(folder, 'platform/keys/signing.json') },
    }
    const logs = () => startWith(environment, folder, 'logs', '--service', 'registry', '--limit', '1', '--json').ended
    await expect.poll(async () => (await logs()).out, { interval: 50 }).toMatch(/"service":"registry"/)
    const away = { ...environment, REGISTRY_URL: 'http://127.0.0.1:1' }
    expect(await startWith(away, folder, 'logs').ended).toMatchObject({
      code: 1,
      err: expect.stringContaining('LOG_SERVER_URL'),
    })
  })

  it('shows what runs, and how it is', async () => {
    const { units } = (await answer('ps')) as { units: { unit: string; memory_bytes: number | null }[] }
    expect(units.map(({ unit }) => unit)).toEqual(UP_ROLE_NAMES)
    expect(units.find(({ unit }) => unit === 'gateway')).toEqual({
      unit: 'gateway',
      service: 'api-gateway',
      state: 'ready',
      words: 'ready',
      doing: null,
      pid: process.pid,
      port: Number(new URL(urls.get('gateway') ?? '').port),
      restarts: 0,
      restart_budget: null,
      ends_in_a_row: null,
      next_start: null,
      url: urls.get('gateway'),
      routes: null,
      since: expect.stringMatching(/^\d{4}-.*Z$/),
      ended: null,
      cpu: expect.any(Number),
      memory_bytes: expect.any(Number),
    })
    expect(await msvc('elsewhere', 'ps')).toMatchObject({ code: 2, err: expect.stringContaining('no data folder') })
  })

  it('publishes and subscribes', async () => {
    expect(await answer('publish', 'shop.opened', '{"n":1}')).toMatchObject({ topic: 'shop.opened' })
    const message = await answer('subscribe', 'shop.opened', '--from', 'first', '--count', '1')
    expect(message).toMatchObject({ payload: { n: 1 } })
  })

  it('publishes with a key, and for later', async () => {
    expect(await answer('publish', 'shop.later', '1', '--key', 'x', '--delay', '5s')).toHaveProperty('deliver_at')
    expect(await answer('publish', 'shop.later', '2', '--key', 'x')).toMatchObject({ offset: expect.any(Number) })
    const stream = await msvc('platform', 'subscribe', 'shop.later', '--from', 'first', '--count', '2')
    const messages = stream.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const attributes = { partitionkey: 'x' }
    expect(messages).toMatchObject([
      { payload: 2, attributes },
      { payload: 1, attributes },
    ])
  })

  it('cancels what waits for its time, and redrives dead letters', async () => {
    const published = await answer('publish', 'shop.remind', '1', '--delay', '1h')
    const { id } = z.object({ id: z.string() }).parse(published)
    expect(await answer('delayed', 'list', '--topic', 'shop.remind')).toMatchObject({ id, payload: 1 })
    expect(await answer('delayed', 'cancel', id)).toEqual({ cancelled: 1 })
    expect(await answer('dead-letters', 'redrive', '--all')).toEqual({ redriven: 0 })
  })

  it.each(['9007199254740993', '123456789012345678901234567890', '1e400', '[-0,1.0,1E5]'])(
    'takes and shows %s to the letter',
    async (text) => {
      const topic = `numbers.${text.length}`
      await answer('publish', topic, text)
      const stream = ['subscribe', topic, '--from', 'first', '--count', '1']
      expect((await msvc('platform', ...stream)).out).toContain(`"payload":${text},`)
      expect((await msvc('platform', ...stream, '--group', 'audit')).out).toContain(`"payload":${text},`)
      await answer('config', 'set', 'shop-service', 'n', text)
      expect((await msvc('platform', 'config', 'get', 'shop-service', 'n')).out).toContain(`"value":${text},`)
      expect((await msvc('platform', 'config', 'get', 'shop-service')).out).toContain(`"n":{"value":${text},`)
    },
  )

  it('shares a group’s messages, and acknowledges what it has printed and no more', async () => {
    for (const n of ['1', '2', '3']) await answer('publish', 'shop.sold', n)
    const group = ['subscribe', 'shop.sold', '--group', 'audit']
    expect(await answer(...group, '--from', 'first', '--count', '1')).toMatchObject({ payload: 1, delivery: 1 })
    const rest = await msvc('platform', ...group, '--count', '2')
    const messages = rest.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(messages).toMatchObject([{ payload: 2 }, { payload: 3 }])
    expect(rest).toMatchObject({ code: 0, err: '' })
  })

  it.each([
    [['subscribe', 'a..b'], /^error: broker: .*dot-separated words/],
    [['subscribe', 'a.b', '--from', 'yesterday'], /^error: broker: .*from/],
    [['subscribe', 'a.b', '--group', '!!'], /^error: broker: .*group: letters/],
    [['publish', 'a..b', '1'], /^error: broker: .*dot-separated words/],
    [['config', 'get', '!!'], /^error: config-server: .*service: letters/],
    [['trace', '1'.repeat(32)], /^error: log-server: Trace not found/],
    [['logs', 'nobodys'], /^error: there is no service nobodys; msvc ps lists what runs\n$/],
    [['logs', 'order', '--since', '1h'], /^error: there is no service order; did you mean order-service\?; msvc ps/],
  ])('says why a server refused %j', async (args, why) => {
    expect(await msvc('platform', ...args)).toEqual({ code: 1, out: '', err: expect.stringMatching(why) })
  })

  it('says that a trace has no entries, and doubts an id that is none', async () => {
    expect(await msvc('platform', 'logs', '--trace', 'zz')).toEqual({
      code: 0,
      out: '',
      err: 'warning: no entry is of the trace zz; trace ids have 32 hexadecimal digits, as a rule\n',
    })
  })

  it('begins with no users to try things with in production', async () => {
    const { token } = JSON.parse((await msvc('platform', 'token', '--subject', 'ann', '--scope', 'users:read')).out)
    const users = await fetch(new URL('/gateway/api/users', urls.get('gateway')), {
      headers: { authorization: `Bearer ${token}` },
    })
    expect([users.status, await users.json()]).toEqual([200, []])
  })

  it('keeps values of the environment that runs', async () => {
    const set = await answer('config', 'set', 'shop', 'k', '7')
    expect(set).toMatchObject({ environment: 'production', version: 1 })
    expect(await answer('config', 'get', 'shop', 'k')).toMatchObject({ value: 7 })
    await answer('config', 'set', 'shop', 'key', 'x', '--secret')
    expect(await answer('config', 'get', 'shop', 'key', '--secrets')).toMatchObject({ value: 'x' })
    expect(await answer('config', 'history', 'shop')).toMatchObject({
      version: 2,
      changed_by: 'msvc-cli',
      values: { key: { value: '••••', secret: true } },
    })
    expect(await answer('config', 'history', 'shop', '--secrets')).toMatchObject({ values: { key: { value: 'x' } } })
    expect(await answer('config', 'rollback', 'shop', '1')).toMatchObject({ version: 3 })
    expect(await answer('config', 'unset', 'shop', 'k')).toMatchObject({ version: 4 })
    writeFileSync(join(folder, 'secret.txt'), 'hunter2\n')
    await answer('config', 'set', 'shop', 'file', '--file', 'secret.txt', '--secret')
    expect(await answer('config', 'get', 'shop', 'file', '--secrets')).toMatchObject({ value: 'hunter2' })
  })

  it.each([
    ['payment-service', 'limit', 'abc', /limit: expected a number from 0 to 1000000000000, got "abc"/],
    ['order-service', 'default_price', '{"a":', /default_price: expected a number/],
    ['order-service', 'pricess', '{"Laptop":9}', /unknown key; did you mean prices\?/],
  ])('refuses to set what %s would not take', async (service, key, value, why) => {
    const set = ['config', 'set', service, key, value]
    expect(await msvc('platform', ...set)).toEqual({ code: 1, out: '', err: expect.stringMatching(why) })
    await answer(...set, '--force')
    await answer('config', 'unset', service, key)
    expect(await answer('config', 'keys', service)).toMatchObject({ service, takes: 'these' })
  })

  it('makes a token that is taken, and shows the trace of what was asked with it', async () => {
    const { token } = JSON.parse((await msvc('platform', 'token', '--subject', 'ann', '--scope', 'orders:read')).out)
    const orders = new URL('/gateway/api/orders', urls.get('gateway'))
    const given = await fetch(orders, { headers: { authorization: `Bearer ${token}` } })
    expect([given.status, await given.json()]).toEqual([200, []])
    const id = given.headers.get('x-trace-id') ?? ''
    const shown = async () => (await msvc('platform', 'trace', id)).code
    await expect.poll(shown, { interval: 50 }).toBe(0)
  })

  it('says what to do when the folder is another one’s, or none', async () => {
    const { port } = new URL(urls.get('log-server') ?? '')
    writeFileSync(join(folder, 'elsewhere.yaml'), `log-server: { port: ${port} }\n`)
    mkdirSync(join(folder, 'other'))
    for (const args of [['logs'], ['logs', '--follow']]) {
      const said = await start(folder, ...args, '--config', 'elsewhere.yaml', '--data', 'other').ended
      expect(said).toMatchObject({ code: 1, err: expect.stringMatching(/wants a token of its own platform: .*--data/) })
    }
    writeFileSync(join(folder, 'file'), '')
    const unreadable = await msvc('file', 'registry', 'list')
    expect(unreadable).toMatchObject({ code: 2, err: expect.stringMatching(/file is no folder.*--data/) })
  })
})

it('finds roles that are served one by one, until they have stopped', async () => {
  const serve = (role: string) =>
    start(folder, 'serve', role, '--port', '0', '--config', config, '--data', 'served', '--json')
  const registry = serve('registry')
  await registry.line
  const broker = serve('broker')
  try {
    await broker.line
    expect(await msvc('served', 'publish', 'shop.opened', '1')).toMatchObject({ code: 0, err: '' })
    // the registry of the same folder, at whatever port
    await vi.waitUntil(async () => /"service_name":"broker"/.test((await msvc('served', 'registry', 'list')).out), {
      timeout: 20_000,
      interval: 100,
    })
  } finally {
    await Promise.all([broker.stop(), registry.stop()])
  }
  expect(readdirSync(join(folder, 'served')).filter((name) => name.startsWith('run'))).toEqual([])
})

it('refuses a second process on a database, and takes one that keeps nothing', async () => {
  const run = (...args: readonly string[]) => start(folder, ...args, '--config', config, '--data', 'shared', '--json')
  const second = async (...args: readonly string[]) => {
    const { code, err } = await run(...args).ended
    return { code, err: err.split('\n').filter((line) => line.startsWith('error:')) }
  }
  const open = (...names: readonly string[]) => ({
    code: 2,
    err: [
      `error: ${names.map((name) => join(folder, 'shared', name)).join(', ')}: open in another process (${process.pid}); stop that one, or choose another folder with --data`,
    ],
  })
  const user = run('serve', 'user', '--port', '0')
  try {
    await user.line
    expect(await second('serve', 'user', '--port', '0')).toEqual(open('user-service.db'))
    expect(await second('up', '--in-process', '--only', 'registry,user')).toEqual(open('user-service.db'))
  } finally {
    await user.stop()
  }
  const up = run('up', '--in-process', '--only', 'registry,broker,gateway')
  try {
    await up.line
    expect(await second('serve', 'registry')).toEqual(open('registry.db'))
    expect(await second('serve', 'broker-demo')).toEqual(open('bus.db'))
    expect(await second('up', '--in-process', '--only', 'user')).toMatchObject({ code: 2 })
    for (const role of ['user', 'gateway']) {
      const more = run('serve', role, '--port', '0')
      await more.line
      await more.stop()
    }
  } finally {
    await up.stop()
  }
})

it('lets one have a database, of two that start in the same instant', async () => {
  const serve = () => start(folder, 'serve', 'user', '--port', '0', '--config', config, '--data', 'instant', '--json')
  const two = [serve(), serve()]
  const lines = await Promise.allSettled(two.map(({ line }) => line))
  const said = await Promise.all(two.map((one) => one.stop()))
  expect(lines.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  expect(said.map(({ code }) => code).toSorted()).toEqual([0, 2])
  expect(said.find(({ code }) => code === 2)?.err).toMatch(/user-service\.db: open in another process/)
})
