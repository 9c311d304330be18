import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, it } from 'vitest'

const MAIN = inject('program')
const folder = mkdtempSync(join(tmpdir(), 'msvc-completion-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeFileSync(join(folder, 'msvc.yaml'), 'services: { catalog: { run: x } }\n')

it.each([
  [
    ['logs', ''],
    ['catalog', 'order-service', 'outbound'],
  ],
  [['logs', 'cat'], ['catalog']],
  [['up', '--only', 'ca'], ['catalog']],
])('offers the services of the folder behind %j', (words, offered) => {
  const args = [MAIN, 'complete', '--', ...words]
  const lines = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).split('\n')
  expect(lines.map((line) => line.split('\t')[0])).toEqual(expect.arrayContaining(offered))
})

it('gives bash a script that can be sourced again', () => {
  const script = execFileSync(process.execPath, [MAIN, 'completion', 'bash'], { encoding: 'utf8' })
  const { stderr } = spawnSync('bash', [
    '--norc',
    '-c',
    'eval "$1"; eval "$1"; declare -F __msvc_complete',
    'bash',
    script,
  ])
  expect(stderr.toString()).toBe('')
})
