import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeWorkFolder } from './work-folder.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'msvc-work-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const MAKER = `
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeWorkFolder } from ${JSON.stringify(join(import.meta.dirname, 'work-folder.ts'))}
const { path } = await makeWorkFolder(process.argv[2], '.msvc-a-')
writeFileSync(join(path, 'key'), 'secret')
// lives on until it is killed
process.on('message', () => {})
process.send('made')
`

it('takes away what a killed process has left, and nothing that is in use', async () => {
  const script = join(home, 'maker.mts')
  writeFileSync(script, MAKER)
  const maker = fork(script, [home], { stdio: 'inherit' })
  await once(maker, 'message')
  const other = await makeWorkFolder(home, '.msvc-a-')
  const names = () => readdirSync(home).filter((name) => name.startsWith('.msvc-'))
  expect(names()).toHaveLength(2)
  const ended = once(maker, 'exit')
  maker.kill('SIGKILL')
  await ended
  const third = await makeWorkFolder(home, '.msvc-a-')
  expect(names().toSorted()).toEqual([other.path, third.path].map((path) => path.slice(home.length + 1)).toSorted())
  await other.remove()
  await third.remove()
  expect(names()).toEqual([])
})

it('leaves alone what is no folder of its kind, or may just be made', async () => {
  mkdirSync(join(home, '.msvc-a-new'))
  mkdirSync(join(home, '.msvc-b-old'))
  mkdirSync(join(home, '.msvc-a-old'))
  symlinkSync('/tmp', join(home, '.msvc-a-link'))
  for (const name of ['.msvc-a-old', '.msvc-b-old']) utimesSync(join(home, name), 1, 1)
  const { path, remove } = await makeWorkFolder(home, '.msvc-a-')
  expect(readdirSync(home)).toEqual(expect.arrayContaining(['.msvc-a-new', '.msvc-a-link', '.msvc-b-old']))
  expect(readdirSync(home)).not.toContain('.msvc-a-old')
  await remove()
  expect(readdirSync(home)).not.toContain(path.slice(home.length + 1))
})
