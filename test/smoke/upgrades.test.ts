import { execFile } from 'node:child_process'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Copy, copyExecutable } from './executable.ts'

const guide = readFileSync(join(import.meta.dirname, '../../docs/upgrades.md'), 'utf8')
const blocks = [...guide.matchAll(/^<!-- run -->\n```sh\n(.*?)^```$/gms)].map(([, commands = '']) => commands)

let copy: Copy
beforeAll(async () => {
  copy = await copyExecutable()
}, 120_000)
afterAll(async () => {
  await copy?.run('down')
  copy?.remove()
})

async function bash(commands: string): Promise<string> {
  const env = { PATH: `${copy.folder}:${process.env.PATH}`, HOME: copy.folder, NO_COLOR: '1' }
  const command = ['--norc', '-euo', 'pipefail', '-c', commands]
  return (await promisify(execFile)('bash', command, { cwd: copy.folder, env })).stdout
}

it('says of upgrades what works, there and back, and has no command that nobody runs', {
  timeout: 240_000,
}, async () => {
  expect(blocks.length).toBe([...guide.matchAll(/^```/gm)].length / 2)
  expect(blocks).toHaveLength(2)
  await bash('msvc up --detach')
  const users = async () => JSON.parse(await (await fetch('http://127.0.0.1:8001/api/users')).text())
  const before = await users()
  cpSync(copy.program, join(copy.folder, 'msvc-new'))
  for (const commands of blocks) {
    await bash(commands)
    expect(await users()).toEqual(before)
  }
})

it('goes on with the program that ran where another file lies there once it was looked at', {
  timeout: 120_000,
}, async () => {
  // plays the new version as far as it is looked at, then is half of a file
  const swapped = `#!/bin/sh
if [ "$1" = --version ]; then exec "${copy.folder}/msvc-kept" --version; fi
head -c 1000000 "${copy.folder}/msvc-kept" >half; chmod +x half; mv half "${copy.program}"`
  await bash('msvc up --detach --data swapped --port-offset 1000')
  try {
    cpSync(copy.program, join(copy.folder, 'msvc-kept'))
    await bash(
      `cat >swap <<'END'\n${swapped}\nEND\nchmod +x swap; mv swap "${copy.program}"; ./msvc-kept upgrade --data swapped`,
    )
    expect(await bash('./msvc-kept health --data swapped')).toContain('gateway')
    expect(readFileSync(join(copy.folder, 'swapped/up.log'), 'utf8')).toMatch(
      /was changed after it was looked at: the platform goes on/,
    )
    await bash('cp msvc-kept whole; mv whole msvc; msvc upgrade --data swapped; msvc health --data swapped')
  } finally {
    await bash('./msvc-kept down --data swapped')
  }
})
