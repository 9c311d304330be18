import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { AppError } from '../errors.ts'
import { type AnyRole, defineRole } from '../role.ts'
import { type LoadOptions, loadConfiguration } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

const role = (name: string, service: string, port: number, config: z.ZodType = z.strictObject({})): AnyRole =>
  defineRole({
    name,
    service,
    port,
    config,
    summary: name,
    needs: [],
    start: () => Promise.reject(new Error('not started here')),
  })

const prices = z.strictObject({
  prices: z.record(z.string(), z.number().positive()).default({}),
  api_key: z.string().min(8).default('unset-unset'),
  discount: z
    .strictObject({ percent: z.number().min(0).max(100), from: z.number().default(0) })
    .nullable()
    .default(null),
})
const roles = [
  role('registry', 'registry', 8500),
  role('user', 'user-service', 8001),
  role('order', 'order-service', 8002, prices),
  role('gateway', 'api-gateway', 8000),
]
const together = roles.map(({ name }) => name)

function load(yaml: string | undefined, options: Partial<LoadOptions> = {}) {
  if (yaml !== undefined) writeFileSync(join(folder, 'x.yaml'), yaml)
  const file = yaml === undefined ? {} : { file: 'x.yaml' }
  return loadConfiguration({ roles, together, environment: {}, folder, ...file, ...options })
}

/** The lines of the refusal. */
async function faults(yaml: string | undefined, options: Partial<LoadOptions> = {}): Promise<string[]> {
  try {
    await load(yaml, options)
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'CONFIG_INVALID') return thrown.message.split('\n')
    throw thrown
  }
  return []
}

describe('loadConfiguration', () => {
  it('gives the defaults without a file, the data folder made absolute', async () => {
    const { settings, sections } = await load(undefined)
    expect(settings.auth.mode).toBe('local')
    expect(settings.data).toBe(join(folder, '.msvc'))
    expect(sections.order).toEqual({
      host: '127.0.0.1',
      port: 8002,
      prices: {},
      api_key: 'unset-unset',
      discount: null,
    })
  })

  it('lets flags win over the environment, that over the file, and that over the defaults', async () => {
    const yaml = 'user:\n  port: 1\n'
    const served = 'user'
    const flags = [{ path: ['user', 'port'], value: 3, from: '--port' }]
    expect((await load('')).sections.user?.port).toBe(8001)
    expect((await load(yaml)).sections.user?.port).toBe(1)
    expect((await load(yaml, { served, environment: { PORT: '2' } })).sections.user?.port).toBe(2)
    expect((await load(yaml, { served, environment: { PORT: '2' }, flags })).sections.user?.port).toBe(3)
    const port = ['user', 'port']
    expect((await load('')).saidBy(port)).toBeUndefined()
    expect((await load(yaml)).saidBy(port)).toBe('x.yaml:2')
    expect((await load(yaml, { served, environment: { PORT: '2' } })).saidBy(port)).toBe('PORT')
    expect((await load(yaml, { served, environment: { PORT: '2' }, flags })).saidBy(port)).toBe('--port')
  })

  it('reports every fault at once, each with its file, line and name', async () => {
    const yaml = [
      'enviroment: x', // 1
      'log:', // 2
      '  level: LOUD', // 3
      'gateway:', // 4
      '  port: 80000', // 5
      '  prot: 1', // 6
      'order:', // 7
      '  prices:', // 8
      '    Laptop: free', // 9
      '  api_key: 12', // 10
      'user: 5', // 11
    ].join('\n')
    expect(await faults(yaml)).toEqual([
      'x.yaml:1: enviroment: unknown key; did you mean environment?',
      'x.yaml:3: log.level: expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got "LOUD"',
      'x.yaml:5: gateway.port: expected a whole number from 0 to 65535, got 80000',
      'x.yaml:6: gateway.prot: unknown key; did you mean port?',
      'x.yaml:9: order.prices.Laptop: expected a number above 0, got "free"',
      'x.yaml:10: order.api_key: expected text that is not empty, got a value that is kept hidden',
      'x.yaml:11: user: expected a section with keys of its own, such as "port: 8000"',
    ])
  })

  it('suggests a role for a section whose name has a typing error', async () => {
    expect(await faults('gatway:\n  port: 1\n')).toEqual(['x.yaml:1: gatway: unknown key; did you mean gateway?'])
    expect(await faults('zebra: 1\n')).toEqual(['x.yaml:1: zebra: unknown key'])
  })

  it('refuses two roles on one port, where the file can be changed', async () => {
    expect(await faults('user:\n  port: 8000\n')).toEqual([
      "x.yaml:2: user.port: 8000 is gateway's port too; give each role its own",
    ])
    expect(await faults('user:\n  port: 0\norder:\n  port: 0\n')).toEqual([])
    expect(await faults('user:\n  port: 8000\n', { together: ['user'] })).toEqual([])
  })

  it('refuses an address that others can reach, unless tokens are wanted', async () => {
    expect((await faults('gateway:\n  host: 0.0.0.0\n'))[0]).toMatch(
      /^x\.yaml:2: gateway\.host: 0\.0\.0\.0 can be reached/,
    )
    expect(await faults('auth:\n  mode: token\ngateway:\n  host: 0.0.0.0\n')).toEqual([])
    expect(await faults('up:\n  host: 0.0.0.0\n')).toEqual([
      expect.stringMatching(/up\.host: 0\.0\.0\.0 can be reached from other machines/),
    ])
    expect(await faults('up:\n  advertise: shop:80\n')).toEqual([expect.stringMatching(/expected a host alone/)])
    expect(await faults('gateway:\n  host: "::1"\n')).toEqual([])
  })

  it('takes a key set with a token to show, in token mode, and no key beside it', async () => {
    const jwks = 'http://gateway:8000/.well-known/jwks.json'
    const environment = { MSVC_AUTH_MODE: 'token', MSVC_AUTH_JWKS: jwks, MSVC_TOKEN_FILE: 'own.token' }
    const { settings } = await load(undefined, { environment, served: 'user' })
    expect(settings.auth).toMatchObject({ jwks, token_file: join(folder, 'own.token') })
    const told = (more: Record<string, string | undefined>) =>
      faults(undefined, { environment: { ...environment, ...more }, served: 'user' })
    const key = await told({ MSVC_KEY_FILE: 'key.json' })
    expect(key).toEqual([expect.stringMatching(/^MSVC_AUTH_JWKS: auth\.jwks: auth\.key_file .* is said too/)])
    expect(await told({ MSVC_AUTH_MODE: 'local' })).toEqual([expect.stringContaining('set auth.mode: token')])
    expect(await told({ MSVC_TOKEN_FILE: undefined })).toEqual([expect.stringContaining('auth.token_file')])
    expect(await told({ MSVC_AUTH_JWKS: 'gateway' })).toEqual([expect.stringContaining('not an http or https URL')])
    expect(await told({ MSVC_AUTH_JWKS: `${jwks},${jwks}` })).toEqual([expect.stringContaining('this is a list')])
  })

  it('takes a host for what a Host header may hold, and an origin for what a browser sends, and nothing wider', async () => {
    for (const host of [
      '*',
      '*.example.com',
      '',
      'http://a',
      'a:80',
      'a/b',
      'a b',
      '.a',
      'a..b',
      '-a',
      '[]',
      '1.2.3',
      '1.2.3.256',
      'a.7',
    ]) {
      expect((await faults(`auth:\n  hosts: ['${host}']\n`))[0]).toMatch(
        /^x\.yaml:2: auth\.hosts\.0: expected a name such as api\.example\.com, without scheme, port or \*/,
      )
    }
    for (const host of ['api', 'API.example.com.', 'a_b.c', '10.0.0.1', '[fd00::1]', 'xn--bcher-kva.example']) {
      expect(await faults(`auth:\n  hosts: ['${host}']\n`)).toEqual([])
    }
    for (const origin of ['*', 'null', 'https://*.a', 'https://a/', 'https://A', 'a', 'https://a:443', 'file://']) {
      expect((await faults(`auth:\n  origins: ['${origin}']\n`))[0]).toMatch(
        /^x\.yaml:2: auth\.origins\.0: expected an origin such as https:\/\/shop\.example, without path or \*/,
      )
    }
    expect(await faults("auth:\n  origins: ['https://shop.example', 'http://localhost:3000']\n")).toEqual([])
  })

  it('reads a file of many keys in time that grows with it, and tells of a hundred faults', async () => {
    const keys = (count: number) => Array.from({ length: count }, (_, n) => `    product ${n}: ${n + 1}`).join('\n')
    const { sections } = await load(`order:\n  prices:\n${keys(9_000)}\n`)
    expect(Object.keys(sections.order?.prices ?? {})).toHaveLength(9_000)
    const told = await faults(`order:\n${keys(9_000).replaceAll('    ', '  ')}\n`)
    expect(told).toHaveLength(101)
    expect(told[0]).toBe('x.yaml:2: order.product 0: unknown key')
    expect(told[100]).toBe('there is more; mend these first')
  })

  it.each([
    ['a file larger than 256 KiB', () => `# ${'x'.repeat(262_144)}`, 'x.yaml: larger than 262144 bytes'],
    ['deep nesting', () => `order: ${'['.repeat(40)}${']'.repeat(40)}`, 'x.yaml:1: nested deeper than 32 levels'],
    ['nesting that is deep beyond reason', () => '['.repeat(100_000), 'x.yaml:1: nested deeper than 32 levels'],
    ['lists in lists beyond reason', () => '- '.repeat(60_000), 'x.yaml:1: nested deeper than 32 levels'],
    [
      'aliases of aliases',
      () =>
        `a0: &a0 [x, x, x, x, x, x, x, x, x]\n${Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(9)}]`).join('\n')}`,
      /^x\.yaml:\d+: more than 100000 values$/,
    ],
    [
      'aliases without number',
      () => `order: &o {}\n${Array.from({ length: 20_000 }, (_, n) => `k${n}: *o`).join('\n')}`,
      /^x\.yaml:2: k0: unknown key/,
    ],
    ['an alias within what it names', () => 'order: &o\n  prices: *o', /^x\.yaml:2: \*o names nothing before it/],
    ['a key that is a list', () => 'order:\n  ? [a]\n  : 1', 'x.yaml:2: expected a name before the colon'],
    ['a key twice, deep inside', () => 'order:\n  prices: { a: 1, b: 2, a: 3 }', 'x.yaml:2: the key a stands twice'],
  ])('refuses %s', async (_, yaml, fault) => {
    const [first = ''] = await faults(yaml())
    if (typeof fault === 'string') expect(first).toContain(fault)
    else expect(first).toMatch(fault)
  })

  it('refuses what is no regular file, without waiting for it', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe.yaml')])
    for (const file of ['pipe.yaml', folder, '/dev/zero'])
      expect((await faults(undefined, { file }))[0]).toContain(
        `${file}: not a regular file; --config names a YAML file`,
      )
  })

  it('refuses a file that is missing, broken, or has a key twice', async () => {
    expect((await faults(undefined, { file: 'none.yaml' }))[0]).toMatch(/^none\.yaml: no such file; --config/)
    expect((await faults('log:\n  level: [\n'))[0]).toMatch(/^x\.yaml:\d: /)
    expect(await faults('log: {}\nuser: {}\nlog: {}\n')).toEqual(['x.yaml:3: the key log stands twice'])
    // from the line that is indented wrongly on the parser misunderstands all that follows
    expect(await faults('user:\n    port: 1\n   host: a\n    b: { c: d }\n    e: [1]\n')).toEqual([
      'x.yaml:3: all mapping items must start at the same column',
    ])
    expect((await faults('- a\n'))[0]).toMatch(/^x\.yaml:1: expected keys and values/)
  })

  it('names the variable or the flag that is wrong', async () => {
    const served = 'gateway'
    expect(await faults('', { served, environment: { PORT: 'http' } })).toEqual([
      'PORT: gateway.port: expected a whole number from 0 to 65535, got "http"',
    ])
    expect(await faults('', { flags: [{ path: ['gateway', 'port'], value: 99999, from: '--port' }] })).toEqual([
      '--port: expected a whole number from 0 to 65535, got 99999',
    ])
    expect((await faults('', { environment: { DB_PORT: '5432' } }))[0]).toMatch(/^DB_PORT: /)
    for (const odd of ['http://a\tb:1', 'http://a:1/\n', 'http://a:1/#x', 'http://é:1', 'ftp://a:1']) {
      expect((await faults('', { environment: { USER_SERVICE_URL: odd } }))[0]).toMatch(/^USER_SERVICE_URL: /)
    }
    for (const lost of ['http://bob:pw@a:1', 'https://a/?x=1', 'http://a:1,ftp://b:2', ',']) {
      expect((await faults('', { environment: { USER_SERVICE_URL: lost } }))[0]).toMatch(
        /^USER_SERVICE_URL: .*; this is /,
      )
    }
    expect(await faults('', { environment: { USER_SERVICE_URL: 'https://a/base, http://b:2' } })).toEqual([])
    expect((await faults('', { environment: { USER_SERVICE_URL: 'user' } }))[0]).toMatch(
      /^USER_SERVICE_URL: services\.user-service: /,
    )
  })

  it('checks what PORT and SERVICE_NAME say, whether or not one role is served', async () => {
    expect(await faults('', { environment: { PORT: 'abc', SERVICE_NAME: 'a b' } })).toEqual([
      'PORT: expected a whole number from 0 to 65535, got "abc"',
      'SERVICE_NAME: expected letters, digits, dots and dashes, at most 63 of them, got "a b"',
    ])
    expect((await faults('', { environment: { PORT: '65536' } }))[0]).toMatch(/^PORT: .*got 65536$/)
  })

  it('says what is wanted within what may also be null, and of a number without end', async () => {
    expect(await faults('order:\n  discount: { percent: much, form: 1 }\n')).toEqual([
      'x.yaml:2: order.discount.percent: expected a number from 0 to 100, got "much"',
      'x.yaml:2: order.discount.form: unknown key; did you mean from?',
    ])
    expect((await faults('order:\n  prices: { a: .inf }\n'))[0]).toMatch(/a number above 0, got Infinity$/)
  })

  it('takes the addresses of the compose file, and leaves PORT alone when several roles run', async () => {
    const environment = {
      REGISTRY_URL: 'http://registry:8500',
      USER_SERVICE_URL: 'http://user-service:8001',
      PORT: '1',
      SERVICE_NAME: 'x',
    }
    const { settings, sections, service } = await load('', { environment })
    expect((await load('', { environment: { DB_HOST: 'db' } })).settings.store).toBe('postgres://db:5432')
    expect(settings.services).toEqual({ registry: 'http://registry:8500', 'user-service': 'http://user-service:8001' })
    expect(sections.user?.port).toBe(8001)
    expect(service).toBeUndefined()
    expect((await load('', { environment, served: 'user' })).service).toBe('x')
  })

  it('refuses several registries that share nothing, where one of them is to run', async () => {
    const both = { REGISTRY_URL: 'http://10.0.0.1:8500,http://10.0.0.2:8500' }
    const options = { environment: both, served: 'registry', together: ['registry'] }
    expect((await faults('', options))[0]).toMatch(
      /^REGISTRY_URL: services.registry: these 2 registries .*; set cache: redis:/,
    )
    expect((await load('cache: redis://10.0.0.3', options)).settings.services.registry).toBe(both.REGISTRY_URL)
    expect((await load('', { environment: both, served: 'user', together: ['user'] })).settings.cache).toBe('memory:')
  })

  it('refuses a backend without a driver and hides its password', async () => {
    const [line] = await faults('', { environment: { DATABASE_URL: 'mysql://ann:hunter2@db/x' } })
    expect(line).toBe(
      'DATABASE_URL: store: this build has no store driver for mysql:; use sqlite: or postgres: or postgresql:',
    )
    expect((await faults('store: "//ann:hunter2@db"\n')).join()).not.toContain('hunter2')
  })

  it.each([
    ['store: postgres://ann:hunter2@db/x?sslmode=maybe', /^x\.yaml:1: store: sslmode is one of disable, /],
    ['store: postgres://ann:hunter2@a,b/x', /^x\.yaml:1: store: it names one server/],
    ['store: sqlite:shop.db', /^x\.yaml:1: store: sqlite: takes nothing behind the colon/],
    ['bus: nats://a,b:99999', /^x\.yaml:1: bus: .*a port is a number from 1 to 65535/],
    ['cache: redis://ann:hunter2@h/nine', /^x\.yaml:1: cache: the path is the number of the database/],
  ])('refuses %s before anything is asked there', async (yaml, fault) => {
    const [line, ...others] = await faults(yaml)
    expect(line).toMatch(fault)
    expect(line).not.toContain('hunter2')
    expect(others).toEqual([])
  })

  it('survives any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        for (const line of await faults(text)) expect(line).not.toBe('')
      }),
    )
  })

  it('treats __proto__ as the unknown key it is', async () => {
    expect(await faults('__proto__:\n  x: 1\n')).toEqual(['x.yaml:1: __proto__: unknown key'])
    expect(await faults('user:\n  __proto__: 1\n')).toEqual(['x.yaml:2: user.__proto__: unknown key'])
    const none = 'a name that nothing can have; choose another'
    expect(await faults('services:\n  __proto__: http://127.0.0.1:9000\n')).toEqual([
      `x.yaml:2: services.__proto__: ${none}`,
    ])
  })
})
