import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadKeyRing, makeKeyFile, readKeyFile } from './key-files.ts'

const run = promisify(execFile)

describe('key files', () => {
  let data: string
  let folder: string
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'msvc-keys-'))
    folder = join(data, 'keys')
  })
  afterEach(() => rm(data, { recursive: true, force: true }))

  it('makes one key pair, for this user only, and finds it again', async () => {
    const made = await loadKeyRing(folder)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect(await readdir(folder)).toEqual(['signing.json'])
    expect((await stat(join(folder, 'signing.json'))).mode & 0o777).toBe(0o600)
    const found = await loadKeyRing(folder)
    expect(found.signing.kid).toBe(made.signing.kid)
    expect(found.verifying.get(made.signing.kid)?.key.type).toBe('public')
  })

  it('gives eight processes that start at once the same key', async () => {
    const module = new URL('./key-files.ts', import.meta.url)
    const script = `const { loadKeyRing } = await import(${JSON.stringify(module.href)})
      process.stdout.write((await loadKeyRing(${JSON.stringify(folder)})).signing.kid)`
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => run(process.execPath, ['--input-type=module', '--eval', script])),
    )
    expect(new Set(answers.map(({ stdout }) => stdout)).size).toBe(1)
    expect(answers[0]?.stdout).toHaveLength(43)
    expect(await readdir(folder)).toEqual(['signing.json'])
  })

  it('gives many loads in one process the same key', async () => {
    const rings = await Promise.all(Array.from({ length: 16 }, () => loadKeyRing(folder)))
    expect(new Set(rings.map(({ signing }) => signing.kid)).size).toBe(1)
  })

  it('refuses a key that others may read, and says what to do', async () => {
    await loadKeyRing(folder)
    await chmod(join(folder, 'signing.json'), 0o640)
    await expect(loadKeyRing(folder)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('chmod 600'),
    })
  })

  it('refuses a folder that others may enter', async () => {
    await mkdir(folder, { mode: 0o755 })
    await expect(loadKeyRing(folder)).rejects.toMatchObject({ message: expect.stringContaining('chmod 700') })
  })

  it('follows no link', async () => {
    await loadKeyRing(folder)
    await rename(join(folder, 'signing.json'), join(data, 'elsewhere.json'))
    await symlink(join(data, 'elsewhere.json'), join(folder, 'signing.json'))
    await expect(loadKeyRing(folder)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it.each([
    ['no JSON', '{"d":"very-secret'],
    ['a symmetric key', '{"kty":"oct","k":"c2VjcmV0","alg":"HS256","kid":"x"}'],
    [
      'a public key only',
      '{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"x","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}',
    ],
    ['a broken key', '{"kty":"EC","crv":"P-256","alg":"ES256","kid":"x","x":"AA","y":"AA","d":"very-secret"}'],
  ])('refuses to sign with %s, and quotes nothing of it', async (_, text) => {
    await mkdir(folder, { mode: 0o700 })
    await writeFile(join(folder, 'signing.json'), text, { mode: 0o600 })
    const refused = await loadKeyRing(folder).catch((fault: unknown) => fault)
    expect(refused).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(JSON.stringify(refused) + String(refused)).not.toContain('very-secret')
  })

  it('still believes a key that was put aside', async () => {
    const before = await loadKeyRing(folder)
    await rename(join(folder, 'signing.json'), join(folder, '2026-01.json'))
    const after = await loadKeyRing(folder)
    expect(after.signing.kid).not.toBe(before.signing.kid)
    expect([...after.verifying.keys()].sort()).toEqual([before.signing.kid, after.signing.kid].sort())
    expect(await readFile(join(folder, 'signing.json'), 'utf8')).toContain(after.signing.kid)
  })
})

describe('a key file', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-key-file-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const kept = async (content: string) => {
    await writeFile(join(folder, 'key'), content, { mode: 0o644 })
    return join(folder, 'key')
  }

  it('has the key that signs, whoever may read it, and through a link as secrets are mounted', async () => {
    const made = await makeKeyFile()
    await symlink(await kept(made), join(folder, 'link'))
    const { signing, verifying } = await readKeyFile(join(folder, 'link'))
    expect([signing.key.type, verifying.get(signing.kid)?.key.type]).toEqual(['private', 'public'])
    expect((await readdir(folder)).toSorted()).toEqual(['key', 'link'])
  })

  it('may have several: the first private one signs, all are believed', async () => {
    const [gone, now, before] = await Promise.all([makeKeyFile(), makeKeyFile(), makeKeyFile()])
    const { d: _, ...open } = JSON.parse(gone)
    const { signing, verifying } = await readKeyFile(await kept(`{"keys":[${JSON.stringify(open)},${now},${before}]}`))
    expect(signing.kid).toBe(JSON.parse(now).kid)
    expect([...verifying.keys()]).toEqual([gone, now, before].map((text) => JSON.parse(text).kid))
  })

  it.each([
    ['is not there', () => join(folder, 'none'), /^The key file .*none can't be read: ENOENT/],
    ['is a folder', () => folder, /^The key file .* is not a regular file$/],
    [
      'holds something else',
      () => kept('hunter2'),
      /key is not a JWK with kty, alg \(ES256, RS256, EdDSA\) and kid, or \{"keys": \[…\]\} with several; msvc keys new makes one$/,
    ],
    [
      'holds no private key',
      async () => kept((await makeKeyFile()).replace(/"d": .*,\n/, '')),
      /key holds no private key to sign with; put one in, which msvc keys new makes$/,
    ],
    [
      'holds a key that is none',
      () => kept('{"kty":"EC","alg":"ES256","kid":"a","d":"hunter2"}'),
      /key holds no usable ES256 key/,
    ],
  ])('is refused that %s', async (_, path, message) => {
    const fault = await readKeyFile(await path()).catch((thrown: unknown) => thrown)
    expect(fault).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) })
    expect(String(fault)).not.toContain('hunter2')
  })
})
