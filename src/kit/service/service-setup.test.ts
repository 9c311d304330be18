import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import type { ServiceDefinition } from './definition.ts'
import { readOwn, setUp } from './service-setup.ts'

const set = (variables: Record<string, string>, definition: Partial<ServiceDefinition> = {}) =>
  setUp({ name: 'catalog', ...definition }, { variables, folder: '/srv' })

describe('the setup of a service', () => {
  it('belongs to no platform, on a free port, with a folder of its own, where nothing is said', async () => {
    const setup = await set({})
    expect(setup).toMatchObject({ service: 'catalog', registryUrl: '', isKept: false })
    expect(setup.section).toEqual({ host: '127.0.0.1', port: 0 })
    expect(setup.settings).toMatchObject({ data: '/srv/.data/catalog', store: 'sqlite:', auth: { mode: 'local' } })
  })

  it('goes by the environment before the definition before the defaults', async () => {
    const definition = {
      port: 7001,
      data: 'mine',
      settings: { client: { attempts: 1 }, log: { level: 'ERROR' } },
    } as const
    const own = await set({}, definition)
    expect(own.section.port).toBe(7001)
    expect(own.settings).toMatchObject({ data: '/srv/mine', log: { level: 'ERROR' } })
    expect(own.settings.client).toMatchObject({ attempts: 1, timeout_ms: 5_000 })
    const variables = {
      PORT: '7002',
      SERVICE_NAME: 'books',
      DATA_DIR: '/var/books',
      LOG_LEVEL: 'debug',
      DATABASE_URL: 'postgres://db/books',
      REGISTRY_URL: 'http://127.0.0.1:8500',
      REDIS_URL: 'not ours',
      INSTANCE_ID: 'books-2',
    }
    const given = await set(variables, definition)
    expect(given).toMatchObject({ service: 'books', registryUrl: 'http://127.0.0.1:8500', instance: 'books-2' })
    expect(given.section.port).toBe(7002)
    expect(given.settings).toMatchObject({ data: '/var/books', store: 'postgres://db/books', log: { level: 'DEBUG' } })
    expect(given.settings.client.attempts).toBe(1)
  })

  it('leaves alone what says settings of a platform that is started with the same environment', async () => {
    const variables = {
      ...{ MSVC_STORE: 'postgres://db/msvc', MSVC_CACHE: 'redis://cache', MSVC_AUTH_MODE: 'token', MSVC_LOG_LEVL: 'x' },
      ...{ DATABASE_URL_FILE: '/run/secrets/none', MSVC_KEY_FILE: '/run/secrets/key', MSVC_ENVIRONMENT: 'production' },
    }
    const { settings } = await set(variables)
    expect(settings).toMatchObject({ store: 'sqlite:', cache: 'memory:', environment: 'production' })
    expect(settings.auth).toMatchObject({ mode: 'local' })
    expect(settings.auth).not.toHaveProperty('key_file')
  })

  it('takes what stands at the place of a name of the platform', async () => {
    expect((await set({}, { name: 'store' })).service).toBe('store')
  })

  it.each([
    [{ PORT: '80000' }, {}, /^PORT: .*from 0 to 65535, got 80000$/],
    [{ HOST: '0.0.0.0' }, {}, /^HOST: .*can be reached from other machines/],
    [{}, { name: 'My Shop' }, /^name: .*got My Shop$/],
    [{}, { settings: { drain_seconds: -1 } }, /^settings: drain_seconds: .*got -1$/],
  ])('refuses %j %j', async (variables, definition, message) => {
    await expect(set(variables, definition)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('tells of all faults at once', async () => {
    const fault = await set({ PORT: 'x', LOG_LEVEL: 'loud', INSTANCE_ID: '/' }).catch((thrown: Error) => thrown.message)
    expect(String(fault).split('\n')).toHaveLength(3)
  })

  it('lets a service in token mode listen everywhere', async () => {
    const variables = { HOST: '0.0.0.0', MSVC_TOKEN_FILE: '/run/token', GATEWAY_URL: 'http://127.0.0.1:8000' }
    expect((await set(variables)).settings.auth.mode).toBe('token')
  })
})

describe('variables of its own', () => {
  const Own = z.object({ STRIPE_KEY: z.string().min(3), PAGE_SIZE: z.coerce.number().int().default(50) })

  it('are checked, and have the types that are asked for', () => {
    expect(readOwn(Own, { STRIPE_KEY: 'sk_1', PAGE_SIZE: '20', PATH: '/bin' })).toEqual({
      STRIPE_KEY: 'sk_1',
      PAGE_SIZE: 20,
    })
    expect(readOwn(Own, { STRIPE_KEY: 'sk_1', PAGE_SIZE: '' }).PAGE_SIZE).toBe(50)
  })

  it('are refused together, in words that quote none of them', () => {
    const read = () => readOwn(Own, { STRIPE_KEY: 'Z', PAGE_SIZE: 'Z' })
    expect(read).toThrow(/^STRIPE_KEY: [^Z]+\nPAGE_SIZE: [^Z]+$/)
    expect(() => readOwn(Own, {})).toThrow(/^STRIPE_KEY: missing$/)
  })
})
