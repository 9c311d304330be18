import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { replaceFile } from './replaced-file.ts'

function folder() {
  const made = mkdtempSync(join(tmpdir(), 'msvc-replaced-'))
  onTestFinished(() => rmSync(made, { recursive: true }))
  return made
}

it('puts a text in the place of another, for its owner alone', async () => {
  const path = join(folder(), 'a.json')
  await replaceFile(path, 'one')
  await replaceFile(path, 'two')
  expect(readFileSync(path, 'utf8')).toBe('two')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

it('leaves nothing behind where it can not', async () => {
  const data = folder()
  mkdirSync(join(data, 'a.json'))
  await expect(replaceFile(join(data, 'a.json'), 'one')).rejects.toThrow(/EISDIR|EEXIST|ENOTEMPTY|EPERM/)
  expect(readdirSync(data)).toEqual(['a.json'])
})
