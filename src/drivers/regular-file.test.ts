import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readRegularFile } from './regular-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-regular-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('reads as much as it may, through a link too', () => {
  writeFileSync(join(folder, 'file'), '12345678')
  symlinkSync('file', join(folder, 'link'))
  expect(readRegularFile(join(folder, 'link'), 8).toString()).toBe('12345678')
  expect(() => readRegularFile(join(folder, 'link'), 7)).toThrow(/^larger than 7 bytes$/)
})

it.skipIf(process.platform === 'win32')('neither waits for a pipe nor begins what never ends', () => {
  execFileSync('mkfifo', [join(folder, 'pipe')])
  for (const path of [join(folder, 'pipe'), '/dev/zero', folder])
    expect(() => readRegularFile(path, 8)).toThrow(/^not a regular file$/)
  expect(() => readRegularFile(join(folder, 'none'), 8)).toThrow(/ENOENT/)
})
