import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { EARLIEST, fileOfTar, type Packed, tarGz, zip } from './archives.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-archives-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TIME = Date.UTC(2026, 10, 28, 12, 0, 2) / 1000
const FILES: readonly Packed[] = [
  { path: 'msvc-1/msvc', bytes: Buffer.alloc(100_000, 'program'), isExecutable: true },
  { path: 'msvc-1/LICENSE', bytes: Buffer.from('MIT'), isExecutable: false },
]

const file = fc.record({
  path: fc.stringMatching(/^[a-z/]{0,99}[a-z]$/),
  bytes: fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
  isExecutable: fc.boolean(),
})
const files = fc.uniqueArray(file, { selector: ({ path }) => path, minLength: 1, maxLength: 5 })

describe('a tar', () => {
  it('holds each file to the byte, and the same bytes whatever the order they were given in', async () => {
    const property = fc.asyncProperty(files, async (packed) => {
      const tar = await tarGz(packed, TIME)
      for (const { path, bytes } of packed) {
        const found = await fileOfTar(gunzipSync(tar), path)
        expect(found?.equals(bytes)).toBe(true)
      }
      expect((await tarGz(packed.toReversed(), TIME)).equals(tar)).toBe(true)
    })
    await fc.assert(property, { numRuns: 50 })
  })

  it.skipIf(process.platform === 'win32')('is unpacked by tar: modes and times', async () => {
    writeFileSync(join(folder, 'all.tar.gz'), await tarGz(FILES, TIME))
    execFileSync('tar', ['-xzf', 'all.tar.gz'], { cwd: folder })
    const of = (path: string) => {
      const { mode, mtimeMs, size } = statSync(join(folder, path))
      return { mode: mode & 0o777, time: mtimeMs / 1000, size }
    }
    expect(of('msvc-1/msvc')).toEqual({ mode: 0o755, time: TIME, size: 100_000 })
    expect(of('msvc-1/LICENSE')).toEqual({ mode: 0o644, time: TIME, size: 3 })
  })

  it('has no file that was not put in', async () => {
    expect(await fileOfTar(gunzipSync(await tarGz(FILES, TIME)), 'msvc-1')).toBeUndefined()
  })
})

describe('a zip', () => {
  it('holds each file to the byte, where its directory says, and the same bytes each time', async () => {
    const property = fc.asyncProperty(files, async (packed) => {
      const bytes = await zip(packed, TIME)
      const end = bytes.length - 22
      expect(bytes.toString('latin1', end, end + 4)).toBe('PK\x05\x06')
      let at = bytes.readUInt32LE(end + 16)
      for (const { path, bytes: content } of packed.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
        const [compressed, name, local] = [
          bytes.readUInt32LE(at + 20),
          bytes.readUInt16LE(at + 28),
          bytes.readUInt32LE(at + 42),
        ]
        expect(bytes.toString('utf8', at + 46, at + 46 + name)).toBe(path)
        const start = local + 30 + name
        expect(inflateRawSync(bytes.subarray(start, start + compressed)).equals(content)).toBe(true)
        at += 46 + name
      }
      expect(at).toBe(end)
      expect((await zip(packed.toReversed(), TIME)).equals(bytes)).toBe(true)
    })
    await fc.assert(property, { numRuns: 50 })
  })

  it('begins in 1980', async () => {
    expect((await zip(FILES, 0)).equals(await zip(FILES, EARLIEST))).toBe(true)
  })

  it.skipIf(spawnSync('unzip', ['-v']).error)('is taken by unzip', async () => {
    writeFileSync(join(folder, 'all.zip'), await zip(FILES, TIME))
    expect(execFileSync('unzip', ['-t', 'all.zip'], { cwd: folder, encoding: 'utf8' })).toContain('No errors detected')
  })
})
