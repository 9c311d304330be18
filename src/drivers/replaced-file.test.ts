import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
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

it.skipIf(process.platform === 'win32').each([0o666, 0o444])(
  'gives it the rights that it is to have, whatever the umask: %i',
  async (mode) => {
    const path = join(folder(), 'a.json')
    await replaceFile(path, 'one', { mode })
    await replaceFile(path, 'two', { mode, isForced: true })
    expect(statSync(path).mode & 0o777).toBe(mode)
  },
)

it('takes away what has the name of the new file, be it a link, a pipe or left behind, and follows it nowhere', async () => {
  const data = folder()
  const path = join(data, 'a.json')
  writeFileSync(join(data, 'theirs'), 'theirs')
  symlinkSync(join(data, 'theirs'), `${path}.new`)
  await replaceFile(path, 'one')
  execFileSync('mkfifo', [`${path}.new`])
  await replaceFile(path, 'two')
  writeFileSync(`${path}.new`, 'half of', { mode: 0o666 })
  await replaceFile(path, 'three')
  expect(readFileSync(path, 'utf8')).toBe('three')
  expect(readFileSync(join(data, 'theirs'), 'utf8')).toBe('theirs')
  expect(readdirSync(data)).toEqual(['a.json', 'theirs'])
  mkdirSync(`${path}.new`)
  await expect(replaceFile(path, 'four')).rejects.toThrow(/EISDIR|EPERM|directory/)
  expect(readFileSync(path, 'utf8')).toBe('three')
})
