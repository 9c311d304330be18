import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeKeyFile } from './key-files.ts'
import { createAuthority } from './local-authority.ts'
import { mountedFile } from './testing/mounted-file.ts'

let folder: string
let now = 0
const clock = { now: () => 1_764_000_000_000 + now, monotonic: () => now }
const authorityOf = (keyFile: string) =>
  createAuthority({ mode: 'token', issuer: 'shop', folder: join(folder, 'keys'), keyFile, clock })
const ASKED = { subject: 'ann', audience: 'catalog', scopes: [] }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'msvc-mounted-'))
  now = 0
})
afterEach(() => rm(folder, { recursive: true }))

it('follows the link that Kubernetes swaps: signs with the new key, and believes the old one no more', async () => {
  const secret = mountedFile(folder, 'msvc-key')
  const [before, after] = [await makeKeyFile(), await makeKeyFile()]
  secret.mount(before)
  const authority = authorityOf(secret.path)
  const [seen, unseen] = [await authority.mint(ASKED), await authority.mint(ASKED)]
  await authority.verify(seen, 'catalog')
  secret.mount(`{"keys":[${after},${before}]}`)
  now += 5_000
  expect(authority.recall(seen, 'catalog')).toBeUndefined()
  await authority.verify(seen, 'catalog')
  const fresh = await authority.mint(ASKED)
  expect((await authority.publicKeys()).map(({ kid }) => kid)).toEqual(
    [after, before].map((key) => JSON.parse(key).kid),
  )
  secret.mount(after)
  now += 5_000
  expect(authority.recall(seen, 'catalog')).toBeUndefined()
  for (const old of [seen, unseen])
    await expect(authority.verify(old, 'catalog')).rejects.toThrow(/a key that is not known/)
  expect((await authority.verify(fresh, 'catalog')).subject).toBe('ann')
})

it('goes on with the last keys while the file is gone or holds none', async () => {
  const path = join(folder, 'key')
  await writeFile(path, await makeKeyFile())
  const authority = authorityOf(path)
  const token = await authority.mint(ASKED)
  await authority.verify(token, 'catalog')
  await writeFile(path, 'half a k')
  now += 5_000
  expect((await authority.verify(token, 'catalog')).subject).toBe('ann')
  await rm(path)
  now += 5_000
  expect(authority.recall(token, 'catalog')?.subject).toBe('ann')
})

it('rejects while there were none yet, and takes them once they are there', async () => {
  const path = join(folder, 'key')
  const authority = authorityOf(path)
  await expect(authority.mint(ASKED)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await writeFile(path, await makeKeyFile())
  expect(await authority.mint(ASKED)).toMatch(/^ey/)
})
