import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mountedFile } from './testing/mounted-file.ts'
import { TokenFile } from './token-file.ts'

const NOW = 1_764_000_000
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const tokenOf = (claims: unknown) =>
  `${part({ alg: 'ES256' })}.${part(claims)}.${Buffer.from('x').toString('base64url')}`

describe('a token file', () => {
  let folder: string
  let path: string
  let now = 0
  const clock = { now: () => NOW * 1000 + now, monotonic: () => now }
  beforeEach(async () => {
    now = 0
    folder = await mkdtemp(join(tmpdir(), 'msvc-token-'))
    path = join(folder, 'token')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('gives the token, and the renewed one within 5 s', async () => {
    const file = new TokenFile(path, clock)
    const first = tokenOf({ iss: 'shop', exp: NOW + 60 })
    await writeFile(path, `${first}\n`)
    expect(await file.token()).toEqual({ text: first, issuer: 'shop', expires: NOW + 60 })
    const second = tokenOf({ iss: 'shop', exp: NOW + 120 })
    await writeFile(path, second)
    now += 5_000
    expect((await file.token()).text).toBe(second)
  })

  it('gives what a mounted secret holds once Kubernetes has swapped its link', async () => {
    const secret = mountedFile(folder, 'token')
    const [first, second] = [tokenOf({ iss: 'shop', exp: NOW + 60 }), tokenOf({ iss: 'shop', exp: NOW + 120 })]
    secret.mount(first)
    const file = new TokenFile(secret.path, clock)
    expect((await file.token()).text).toBe(first)
    secret.mount(second)
    now += 5_000
    expect((await file.token()).text).toBe(second)
  })

  it.skipIf(process.platform === 'win32')('neither waits for a pipe nor reads what never ends', async () => {
    execFileSync('mkfifo', [path])
    for (const none of [path, '/dev/zero'])
      await expect(new TokenFile(none, clock).token()).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/^The token file .* can't be used: not a regular file; msvc token --service/),
      })
  })

  it('goes on with the last one while its file is gone, until that has ended', async () => {
    const file = new TokenFile(path, clock)
    await writeFile(path, tokenOf({ iss: 'shop', exp: NOW + 60 }))
    const { text } = await file.token()
    await rm(path)
    now += 59_000
    expect((await file.token()).text).toBe(text)
    now += 1_000
    await expect(file.token()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(path) })
  })

  it.each([
    ['an empty one', ''],
    ['something else', 'a secret'],
    ['a token of nobody', tokenOf({ exp: NOW + 60 })],
    ['one that never ends', tokenOf({ iss: 'shop' })],
    ['one that has ended', tokenOf({ iss: 'shop', exp: NOW })],
    ['a large file', 'x'.repeat(5_000)],
  ])('refuses %s, without telling what it holds', async (_, content) => {
    await writeFile(path, content)
    const fault = await new TokenFile(path, clock).token().catch((thrown: Error) => thrown)
    expect(fault).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('msvc token --service') })
    expect(String(fault)).not.toContain('a secret')
  })
})
