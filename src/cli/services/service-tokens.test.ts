import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import type { TokenRequest } from '../../kit/auth/authority.ts'
import { SERVICE_SCOPES } from '../../kit/auth/scopes.ts'
import { createServiceTokens } from './service-tokens.ts'

const HALF_LIFE_MS = 1_800_000

/** Tokens that say how many were made before them. */
function theatre(mode: 'local' | 'token' = 'token') {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const root = mkdtempSync(join(tmpdir(), 'msvc-tokens-'))
  const folder = join(root, 'services')
  const minted: TokenRequest[] = []
  const faults: string[] = []
  const broken = { is: false }
  const callable = ['user-service', 'log-server', 'user-service']
  const tokens = createServiceTokens({
    authority: {
      mode,
      async mint(request) {
        if (broken.is) throw new Error('no key')
        return `${request.subject} ${minted.push(request)}`
      },
    },
    folder,
    audiences: () => callable,
    onFault: (service, fault) => void faults.push(`${service}: ${fault}`),
  })
  onTestFinished(() => {
    tokens.close()
    vi.useRealTimers()
    rmSync(root, { recursive: true })
  })
  const read = (service: string) => readFileSync(join(folder, `${service}.token`), 'utf8')
  return { tokens, folder, minted, faults, broken, callable, read }
}

it('gives nothing where nobody wants a token', async () => {
  const { tokens, folder } = theatre('local')
  expect(await tokens.variablesOf('shop')).toEqual({})
  expect(existsSync(folder)).toBe(false)
})

it('renews a file when half of its token has passed, also after it could not', async () => {
  const { tokens, folder, minted, faults, broken, read } = theatre()
  expect(await tokens.variablesOf('shop')).toEqual({
    MSVC_TOKEN_FILE: join(folder, 'shop.token'),
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20shop 2',
  })
  expect(read('shop')).toBe('shop 1')
  expect(minted.map(({ ttlSeconds }) => ttlSeconds)).toEqual([3_600, 86_400])
  vi.advanceTimersByTime(HALF_LIFE_MS - 1)
  expect(minted).toHaveLength(2)
  vi.advanceTimersByTime(1)
  await vi.waitUntil(() => read('shop') === 'shop 3', { timeout: 20_000 })
  broken.is = true
  vi.advanceTimersByTime(HALF_LIFE_MS)
  await vi.waitUntil(() => faults.length > 0, { timeout: 20_000 })
  expect(faults).toEqual(['shop: Error: no key'])
  expect(read('shop')).toBe('shop 3')
  broken.is = false
  vi.advanceTimersByTime(HALF_LIFE_MS)
  await vi.waitUntil(() => read('shop') === 'shop 4', { timeout: 20_000 })
})

it('has one file for all replicas, however many ask at once, and tries again where none could be made', async () => {
  const { tokens, minted, broken } = theatre()
  broken.is = true
  await expect(tokens.variablesOf('shop')).rejects.toThrow('no key')
  broken.is = false
  await Promise.all([1, 2, 3].map(() => tokens.variablesOf('shop')))
  expect(minted.filter(({ ttlSeconds }) => ttlSeconds === 3_600)).toHaveLength(1)
  expect(vi.getTimerCount()).toBe(1)
})

it('takes away what services had that are gone, also what is just renewed', async () => {
  const { tokens, folder, minted, read } = theatre()
  for (const service of ['shop', 'stock']) await tokens.variablesOf(service)
  vi.advanceTimersByTime(HALF_LIFE_MS)
  tokens.keepOnly(['stock'])
  await vi.waitUntil(() => read('stock') === 'stock 6', { timeout: 20_000 })
  await vi.waitUntil(() => readdirSync(folder).join() === 'stock.token', { timeout: 20_000 })
  vi.advanceTimersByTime(HALF_LIFE_MS)
  await vi.waitUntil(() => read('stock') === 'stock 7', { timeout: 20_000 })
  expect(minted).toHaveLength(7)
  expect(vi.getTimerCount()).toBe(1)
  tokens.close()
  // what was being written for the one that is gone may end later than what was for the other
  await expect.poll(() => readdirSync(folder)).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

it('gives the environment, which all that it starts inherits, a token for OpenTelemetry alone, and the file the whole one', async () => {
  const { tokens, minted } = theatre()
  await tokens.variablesOf('shop')
  expect(minted).toMatchObject([
    { subject: 'shop', service: true, audience: ['user-service', 'log-server'], scopes: SERVICE_SCOPES },
    { subject: 'shop', service: true, audience: 'log-server', scopes: ['logs:write'] },
  ])
})

it('makes another one for a service that starts when it may call others than before', async () => {
  const { tokens, minted, callable, read } = theatre()
  await tokens.variablesOf('shop')
  callable.push('stock')
  await Promise.all([1, 2].map(() => tokens.variablesOf('shop')))
  const whole = minted.filter(({ ttlSeconds }) => ttlSeconds === 3_600)
  expect(whole.map(({ audience }) => audience)).toEqual([
    ['user-service', 'log-server'],
    ['user-service', 'log-server', 'stock'],
  ])
  expect(read('shop')).toMatch(/^shop [34]$/)
  expect(vi.getTimerCount()).toBe(1)
})
