import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Copy, copyExecutable } from './executable.ts'

/** What a service of it leaves to process 1 when it ends. */
const LEAVES = `services:
  left: { run: "sh -c 'sleep 1000 & echo begun; wait'", ready: log begun, stop: { grace_ms: 600000 } }
`

let copy: Copy
beforeAll(async () => {
  copy = await copyExecutable()
}, 180_000)
afterAll(() => copy?.remove())

it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
  'waits for no process that has ended and that nobody fetches, as in a container without an init',
  { timeout: 120_000 },
  async () => {
    writeFileSync(join(copy.folder, 'msvc.yaml'), LEAVES)
    const args = ['--pid', '--fork', '--kill-child', '--mount-proc', copy.program]
    const child = spawn('unshare', [...args, 'up', '--only', 'left', '--in-process', '--json'], {
      cwd: copy.folder,
      env: { PATH: process.env.PATH, HOME: copy.folder },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const ended = once(child, 'exit')
    await Promise.race([once(createInterface(child.stdout), 'line'), ended])
    const first = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
    process.kill(first, 'SIGTERM')
    // ten minutes would be too late for this test
    expect(await ended).toEqual([0, null])
  },
)
