import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { writeAll } from './byte-output.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-bytes-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('writes bytes to the letter, one call after the other', async () => {
  const path = join(folder, 'out')
  const fd = openSync(path, 'w')
  const parts = [Buffer.from([0, 255, 10]), Buffer.alloc(0), Buffer.alloc(300_000, 7)]
  for (const part of parts) await writeAll(fd, part)
  closeSync(fd)
  expect(readFileSync(path).equals(Buffer.concat(parts))).toBe(true)
})

it.skipIf(!existsSync('/dev/full'))('says when they can not be written', async () => {
  const full = openSync('/dev/full', 'w')
  await expect(writeAll(full, Buffer.from('a'))).rejects.toMatchObject({ code: 'ENOSPC' })
  closeSync(full)
})
