import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Authority } from './authority.ts'
import { createAuthority } from './local-authority.ts'
import { SERVICE_SCOPES } from './scopes.ts'

const NOW = Date.parse('2026-12-01T12:00:00Z')
const AUDIENCE = 'api-gateway'

describe('what a local authority mints', () => {
  let folder: string
  let authority: Authority
  let wall = NOW
  const clock = { now: () => wall, monotonic: () => wall }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-minting-'))
    authority = createAuthority({
      mode: 'token',
      issuer: 'msvc',
      folder: join(folder, 'keys'),
      clock,
      calls: ['users:read'],
    })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('mints service tokens once, and again ahead of their expiry', async () => {
    const first = await authority.serviceToken('order-service', 'user-service')
    expect(await authority.serviceToken('order-service', 'user-service')).toBe(first)
    expect(await authority.serviceToken('order-service', 'broker')).not.toBe(first)
    expect(await authority.verify(first, 'user-service')).toMatchObject({ is: 'service', subject: 'order-service' })
    expect((await authority.verify(first, 'user-service')).scopes).toEqual(new Set([...SERVICE_SCOPES, 'users:read']))
    wall = NOW + 3_000_000
    try {
      expect(await authority.serviceToken('order-service', 'user-service')).not.toBe(first)
    } finally {
      wall = NOW
    }
  })

  it('marks what a role that passes on does for an asker, and nothing else', async () => {
    const folderOf = { folder: join(folder, 'keys'), mode: 'token', issuer: 'msvc', clock } as const
    const gateway = createAuthority({ ...folderOf, passesOn: true })
    const marked = await gateway.serviceToken('edge', 'broker', true)
    expect(await gateway.serviceToken('edge', 'broker', true)).toBe(marked)
    expect(await authority.verify(marked, 'broker')).toMatchObject({ is: 'service', subject: 'edge', passesOn: true })
    for (const token of [
      await gateway.serviceToken('edge', 'broker'),
      await authority.serviceToken('edge', 'broker', true),
      await authority.mint({ subject: 'edge', audience: 'broker', scopes: [], passesOn: true }),
    ]) {
      expect(await authority.verify(token, 'broker')).not.toHaveProperty('passesOn')
    }
    await expect(authority.renew(marked, 'broker')).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('mints one token for several audiences, good for each and for no other', async () => {
    const audience = ['broker', AUDIENCE]
    const token = await authority.mint({ subject: 'shop', audience, scopes: [], service: true })
    for (const name of audience) expect(await authority.verify(token, name)).toMatchObject({ subject: 'shop' })
    expect(authority.recall(token, 'registry')).toBeUndefined()
    await expect(authority.verify(token, 'registry')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('mints nothing that is too long to be taken', async () => {
    const scopes = Array.from({ length: 40 }, (_, index) => `${'x'.repeat(100)}${index}`)
    await expect(authority.mint({ subject: 'a', audience: AUDIENCE, scopes })).rejects.toMatchObject({ code: 'USAGE' })
  })

  it.each([
    { ttlSeconds: 86_401 },
    { ttlSeconds: 0 },
    { ttlSeconds: Number.NaN },
    { subject: '' },
    { scopes: ['two words'] },
  ])('refuses to mint %o', async (wrong) => {
    const request = { subject: 'alice', audience: AUDIENCE, scopes: [], ...wrong }
    await expect(authority.mint(request)).rejects.toMatchObject({ code: 'USAGE' })
  })
})
