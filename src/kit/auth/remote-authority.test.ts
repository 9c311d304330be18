import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Authority } from './authority.ts'
import { createAuthority } from './local-authority.ts'
import { createRemoteAuthority } from './remote-authority.ts'

describe('an authority without keys of its own', () => {
  let folder: string
  let now = 0
  let asked = 0
  let away = false
  const clock = { now: () => 1_764_000_000_000 + now, monotonic: () => now }
  const platform = () => createAuthority({ mode: 'token', issuer: 'shop', folder: join(folder, 'keys'), clock })
  /** What the gateway answers now, whose keys may have changed since. */
  let gateway: Authority
  const remote = () =>
    createRemoteAuthority({
      issuer: 'shop',
      clock,
      ownToken: async () => 'own',
      async askKeys() {
        asked++
        if (away) throw new Error('connection refused')
        return { keys: [...(await gateway.publicKeys()), { kty: 'RSA', kid: 'odd' }, 7] }
      },
    })
  const mint = (audience = 'catalog') => gateway.mint({ subject: 'ann', audience, scopes: ['catalog:read'] })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-remote-'))
    now = 0
    asked = 0
    away = false
    gateway = platform()
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('believes the platform, for its own service alone, and asks for the keys once', async () => {
    const authority = remote()
    const token = await mint()
    expect(await authority.verify(token, 'catalog')).toEqual({
      is: 'user',
      subject: 'ann',
      scopes: new Set(['catalog:read']),
    })
    expect(authority.recall(token, 'catalog')?.subject).toBe('ann')
    await expect(authority.verify(await mint('billing'), 'catalog')).rejects.toThrow(/its aud is not the one/)
    await authority.verify(await mint(), 'catalog')
    expect(asked).toBe(1)
  })

  it('shows its own token to everybody', async () => {
    expect(await remote().serviceToken('catalog', 'broker')).toBe('own')
  })

  it('learns new keys when a token has one, asking at most once in 5 s', async () => {
    const authority = remote()
    await authority.verify(await mint(), 'catalog')
    await rename(join(folder, 'keys/signing.json'), join(folder, 'keys/old.json'))
    gateway = platform()
    const token = await mint()
    await expect(authority.verify(token, 'catalog')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(asked).toBe(1)
    now += 5_001
    expect((await authority.verify(token, 'catalog')).subject).toBe('ann')
    expect(asked).toBe(2)
  })

  it('refuses what a key signed that is published no more, seen before or not, once 10 minutes have gone by', async () => {
    const authority = remote()
    const old = gateway
    const mintOld = () => old.mint({ subject: 'ann', audience: 'catalog', scopes: [] })
    const [seen, kept] = [await mintOld(), await mintOld()]
    await authority.verify(seen, 'catalog')
    await authority.verify(kept, 'catalog')
    await rm(join(folder, 'keys'), { recursive: true })
    gateway = platform()
    now += 600_001
    expect(authority.recall(kept, 'catalog')).toBeUndefined()
    await expect(authority.verify(seen, 'catalog')).rejects.toThrow(/a key that is not known/)
    await expect(authority.verify(kept, 'catalog')).rejects.toThrow(/a key that is not known/)
    await expect(authority.verify(await mintOld(), 'catalog')).rejects.toThrow(/a key that is not known/)
    expect(asked).toBe(2)
  })

  it('looks ahead while tokens that it has seen are all that is used, so that nobody waits', async () => {
    const authority = remote()
    const token = await mint()
    await authority.verify(token, 'catalog')
    now += 300_001
    expect(authority.recall(token, 'catalog')?.subject).toBe('ann')
    await expect.poll(() => asked).toBe(2)
    now += 299_999
    expect(authority.recall(token, 'catalog')?.subject).toBe('ann')
    await rm(join(folder, 'keys'), { recursive: true })
    gateway = platform()
    now += 2
    await expect.poll(() => authority.recall(token, 'catalog')).toBeUndefined()
    expect(asked).toBe(3)
  })

  it('goes on with the last keys while the gateway is away', async () => {
    const authority = remote()
    await authority.verify(await mint(), 'catalog')
    away = true
    const token = await mint()
    now += 600_001
    expect((await authority.verify(token, 'catalog')).subject).toBe('ann')
    expect(authority.recall(token, 'catalog')?.subject).toBe('ann')
    await rm(join(folder, 'keys'), { recursive: true })
    gateway = platform()
    away = false
    now += 30_001
    await expect.poll(() => authority.recall(token, 'catalog')).toBeUndefined()
  })

  it('says that it can not know, not that a token is bad, before it has seen any', async () => {
    away = true
    const authority = remote()
    const verifying = authority.verify(await mint(), 'catalog')
    await expect(verifying).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(/refused/) })
    away = false
    now += 5_001
    expect((await authority.verify(await mint(), 'catalog')).subject).toBe('ann')
  })

  it('asks once for all who wait', async () => {
    const authority = remote()
    await Promise.all([authority.verify(await mint(), 'catalog'), authority.verify(await mint(), 'catalog')])
    expect(asked).toBe(1)
  })

  it('says whether there are keys, and why not', async () => {
    away = true
    const authority = remote()
    await expect(authority.check?.()).rejects.toMatchObject({
      ...{ code: 'UNAVAILABLE', message: expect.stringContaining('connection refused') },
    })
    away = false
    await expect(authority.check?.()).rejects.toThrow('connection refused')
    expect(asked).toBe(1)
    now += 5_001
    await authority.check?.()
    await authority.check?.()
    expect(asked).toBe(2)
    away = true
    now += 600_001
    await authority.check?.()
  })

  it('has no keys where the set has none that it believes', async () => {
    const options = { issuer: 'shop', clock, ownToken: async () => 'own' }
    const empty = createRemoteAuthority({ ...options, askKeys: async () => ({ keys: [{ kty: 'oct', kid: 'x' }] }) })
    await expect(empty.check?.()).rejects.toThrow('there is none of ES256, RS256, EdDSA in the set')
    const rubbish = createRemoteAuthority({ ...options, askKeys: async () => ['<html>'] })
    await expect(rubbish.check?.()).rejects.toThrow('what was answered is no JWK set')
  })

  it('mints nothing', async () => {
    const minting = remote().mint({ subject: 'ann', audience: 'catalog', scopes: [] })
    await expect(minting).rejects.toMatchObject({ code: 'NOT_IMPLEMENTED' })
  })
})
