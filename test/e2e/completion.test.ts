import { execFileSync, spawnSync } from 'node:child_process'
import { expect, inject, it } from 'vitest'

const MAIN = inject('program')

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
