import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import type { Configurable } from './configurable.ts'
import { readEnvironment } from './environment.ts'
import { fileSchema } from './file-schema.ts'
import { loadConfiguration } from './load.ts'
import { settingVariables } from './setting-variables.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-environment-'))
afterAll(() => rmSync(folder, { recursive: true }))
const role = (name: string, service: string, config: z.ZodType = z.strictObject({})): Configurable => ({
  ...{ name, service, config, port: 8000 },
})
const roles = [
  role('gateway', 'api-gateway', z.strictObject({ routes: z.record(z.string(), z.strictObject({})).default({}) })),
  role('log-server', 'log-server'),
  role('user', 'user-service', z.strictObject({ demo_users: z.boolean().optional() })),
]
const file = (name: string, text: string) => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const load = (environment: Record<string, string>) => loadConfiguration({ roles, together: [], environment, folder })

describe('a variable for each setting', () => {
  it('says what a container needs without a file', async () => {
    const { settings, sections } = await load({
      MSVC_AUTH_MODE: 'token',
      MSVC_AUTH_HOSTS: 'api.example.com, shop.example.com',
      MSVC_GATEWAY_HOST: '0.0.0.0',
      MSVC_LOG_SERVER_PORT: '14318',
      MSVC_DATA: '/data',
      MSVC_LOG_FORMAT: 'json',
      MSVC_USER_DEMO_USERS: 'false',
      MSVC_STORE: 'postgres://db/shop',
      MSVC_RUN: 'given to a service, and no setting',
    })
    expect(settings).toMatchObject({
      ...{ data: '/data', store: 'postgres://db/shop', log: { format: 'json' } },
      auth: { mode: 'token', hosts: ['api.example.com', 'shop.example.com'] },
    })
    expect(sections).toMatchObject({
      gateway: { host: '0.0.0.0' },
      'log-server': { port: 14_318 },
      user: { demo_users: false },
    })
  })

  it('gives way to the name that the compose file has for it', async () => {
    const { settings, saidBy } = await load({ MSVC_STORE: 'postgres://a/x', DATABASE_URL: 'postgres://b/x' })
    expect([settings.store, saidBy(['store'])]).toEqual(['postgres://b/x', 'DATABASE_URL'])
  })

  it('names itself where its value is wrong, and what was meant where its name is', async () => {
    const environment = { MSVC_GATEWAY_PORT: 'many', MSVC_AUTH_MOED: 'token', MSVC_SHOP_OF_MINE: 'x', MSVC_DATA: '' }
    await expect(load(environment)).rejects.toThrow(
      /^MSVC_AUTH_MOED: there is no such setting; did you mean MSVC_AUTH_MODE\?\nMSVC_GATEWAY_PORT: gateway\.port: expected a whole number from 0 to 65535, got "many"$/,
    )
  })

  it('says the environment by the variable that services are told it by', async () => {
    const { settings, saidBy } = await load({ MSVC_ENVIRONMENT: 'production' })
    expect([settings.environment, saidBy(['environment'])]).toEqual(['production', 'MSVC_ENVIRONMENT'])
  })

  it('takes none for a typing error that is quite another word, and says of a map that it is one', async () => {
    await expect(load({ MSVC_BEFORE: '/path/to/msvc', MSVC_TOKEN: 'x' })).resolves.toBeDefined()
    await expect(load({ MSVC_GATEWAY_ROUTES: '{}' })).rejects.toThrow(
      /^MSVC_GATEWAY_ROUTES: gateway\.routes has more than a variable can hold; say it in the file$/,
    )
  })

  it('is there for single values and lists of text, and for nothing else', () => {
    const { isOne } = settingVariables(fileSchema(roles))
    const ones = ['MSVC_ENVIRONMENT', 'MSVC_CLIENT_TIMEOUT_MS', 'MSVC_LOG_SERVER_ADVERTISE', 'MSVC_UP_WITHOUT']
    expect(ones.filter((name) => !isOne(name))).toEqual([])
    expect(['MSVC_SERVICES', 'MSVC_TELEMETRY_EXPORT', 'MSVC_GATEWAY_ROUTES', 'MSVC_AUTH'].filter(isOne)).toEqual([])
  })
})

describe('a value from a file', () => {
  it.each([
    ['PORT_FILE', 'hunter2-hunter2'],
    ['MSVC_GATEWAY_PORT_FILE', 'hunter2-hunter2'],
    ['MSVC_AUTH_MODE_FILE', `hunter2-"${'long'.repeat(40)}`],
    ['MSVC_AUTH_HOSTS_FILE', 'a.example,hunter2/hunter2'],
  ])('is in no message: %s', async (name, text) => {
    const fault = await load({ [name]: file(name, text) }).catch((thrown: unknown) => String(thrown))
    expect(fault).toMatch(/\[hidden\]/)
    expect(fault).not.toMatch(/hunter2|longlong/)
  })

  it('is taken without its line break, for a name of either kind', async () => {
    const url = file('db', 'postgres://ann:hunter2@db/x\n')
    const { settings } = await load({ DATABASE_URL_FILE: url, MSVC_AUTH_ISSUER_FILE: file('issuer', 'shop') })
    expect([settings.store, settings.auth.issuer]).toEqual(['postgres://ann:hunter2@db/x', 'shop'])
  })

  it.each([
    [
      'that is not there',
      () => join(folder, 'none'),
      /^DATABASE_URL_FILE: .*none can't be read \(ENOENT.*\); is the secret mounted\?$/,
    ],
    ['that is none', () => folder, /^DATABASE_URL_FILE: .* is not a regular file$/],
    ['that is empty', () => file('empty', '\n'), /^DATABASE_URL_FILE: .*empty is empty$/],
    [
      'that is too large',
      () => file('large', 'x'.repeat(65_537)),
      /^DATABASE_URL_FILE: .*large is larger than 65536 bytes$/,
    ],
  ])('is refused from one %s', async (_, path, fault) => {
    const { faults } = await readEnvironment({ DATABASE_URL_FILE: path() }, roles)
    expect(faults).toEqual([expect.stringMatching(fault)])
  })

  it('is refused beside the value itself, and not looked for under a name that nobody reads', async () => {
    const given = { DATABASE_URL: 'postgres://a/x', DATABASE_URL_FILE: file('db', 'x'), MSVC_TOKEN_FILE: '/nowhere' }
    expect((await readEnvironment({ ...given, SSL_CERT_FILE: '/nowhere' }, roles)).faults).toEqual([
      'DATABASE_URL_FILE: DATABASE_URL is set too; leave one of them out',
    ])
  })
})
