import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readMountedKey, readSecretKey } from './secret-key.ts'

let data = ''
let folder = ''
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-key-'))
  folder = join(data, 'keys')
})
afterEach(() => rmSync(data, { recursive: true }))

describe('readSecretKey', () => {
  it('makes one key, however many ask for it at once', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => readSecretKey(folder, 'config')))
    expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(1)
    expect(keys[0]).toHaveLength(32)
    expect(statSync(join(folder, 'config.key')).mode & 0o777).toBe(0o600)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })

  it('refuses a key that others can read, and one of another length', async () => {
    await readSecretKey(folder, 'config')
    chmodSync(join(folder, 'config.key'), 0o644)
    await expect(readSecretKey(folder, 'config')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('chmod 600'),
    })
    writeFileSync(join(folder, 'short.key'), 'abc', { mode: 0o600 })
    await expect(readSecretKey(folder, 'short')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('readMountedKey', () => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7))
  const mounted = (content: string | Uint8Array) => {
    const path = join(data, 'mounted')
    writeFileSync(path, content, { mode: 0o444 })
    return path
  }

  it.each([key, `${key.toString('base64')}\n`, key.toString('base64url')])(
    'takes 32 bytes, also in base64',
    (content) => {
      expect(Buffer.from(readMountedKey(mounted(content)))).toEqual(key)
    },
  )

  it.each(['', 'abc', key.subarray(1), `${key.toString('base64')}${key.toString('base64')}`])(
    'refuses what is none',
    (content) => {
      expect(() => readMountedKey(mounted(content))).toThrow(/is not a key of 32 bytes, .*openssl rand -base64 32/)
    },
  )

  it('says which file is not there', () => {
    expect(() => readMountedKey(join(data, 'none'))).toThrow(/key file .*none can't be read: ENOENT/)
  })
})
