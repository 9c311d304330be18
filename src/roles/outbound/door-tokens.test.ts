import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import type { TokenRequest } from '../../kit/auth/authority.ts'
import { createAuthority } from '../../kit/auth/local-authority.ts'
import { DoorTokens } from './door-tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-door-tokens-'))
afterAll(() => rmSync(folder, { recursive: true }))

const DOOR = { caller: 'catalog', upstream: 'stock', port: 21_001 }
const OWN = { subject: 'catalog', service: true, audience: ['outbound', 'registry'], scopes: ['logs:write'] }

function theatre(mode: 'local' | 'token' = 'token') {
  let now = systemClock.now()
  const clock = { ...systemClock, now: () => now }
  const authority = createAuthority({ mode, issuer: 'msvc', folder: join(folder, 'data', 'keys'), clock })
  const minted: TokenRequest[] = []
  const counted = {
    ...authority,
    mint(request: TokenRequest) {
      minted.push(request)
      return authority.mint(request)
    },
  }
  const tokens = new DoorTokens({ authority: counted, audience: 'outbound', clock })
  const bearer = async (request: TokenRequest) => `Bearer ${await authority.mint(request)}`
  async function exchanged(authorization: string | undefined, door = DOOR) {
    await tokens.prepare(authorization, door)
    return tokens.inPlaceOf(authorization, door)
  }
  const pass = (ms: number) => {
    now += ms
  }
  return { tokens, minted, bearer, exchanged, pass }
}

it('gives one with the same subject and scopes, for the upstream alone and for minutes', async () => {
  const { bearer, exchanged } = theatre()
  const { sub, aud, scope, service, exp = 0, iat = 0 } = decodeJwt((await exchanged(await bearer(OWN))) ?? '')
  expect({ sub, aud, scope, service, life: exp - iat }).toEqual({
    sub: 'catalog',
    aud: 'stock',
    scope: 'logs:write',
    service: true,
    life: 300,
  })
})

it('makes one when it is asked first, and before that one ends', async () => {
  const { tokens, minted, bearer, exchanged, pass } = theatre()
  const authorization = await bearer(OWN)
  const first = await exchanged(authorization)
  pass(239_000)
  expect(tokens.prepare(authorization, DOOR)).toBeUndefined()
  expect(tokens.inPlaceOf(authorization, DOOR)).toBe(first)
  expect(await exchanged(authorization, { ...DOOR, upstream: 'till' })).not.toBe(first)
  pass(2_000)
  expect(await exchanged(authorization)).not.toBe(first)
  expect(minted).toHaveLength(3)
})

it('gives none any more for one that has ended since', async () => {
  const { bearer, exchanged, pass } = theatre()
  const authorization = await bearer({ ...OWN, ttlSeconds: 250 })
  expect(await exchanged(authorization)).toBeDefined()
  pass(400_000)
  expect(await exchanged(authorization)).toBeUndefined()
})

it('leaves everything else as it came', async () => {
  const { tokens, minted, bearer, exchanged, pass } = theatre()
  const ended = await bearer(OWN)
  pass(3_700_000)
  const others = [
    undefined,
    'Basic Y2F0YWxvZzpwYXNz',
    'Bearer opaque',
    await bearer({ ...OWN, audience: 'stock' }),
    await bearer({ ...OWN, subject: 'till' }),
    await bearer({ ...OWN, service: false }),
    await bearer({ ...OWN, passesOn: true }),
    `${await bearer(OWN)}x`,
    ended,
  ]
  expect(await Promise.all(others.map((each) => exchanged(each)))).toEqual(others.map(() => undefined))
  expect(minted).toEqual([])
  expect(tokens.prepare(undefined, DOOR)).toBeUndefined()
  const local = theatre('local')
  expect(await local.exchanged(await local.bearer(OWN))).toBeUndefined()
})
