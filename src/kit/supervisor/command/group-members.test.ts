import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { hasLiving } from './group-members.ts'

it.skipIf(process.platform !== 'linux')('counts no process that has ended and that nobody fetches', async () => {
  // what the shell becomes fetches nobody
  const child = spawn('sh', ['-c', 'setsid sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const [line] = await once(createInterface(child.stdout), 'line')
    const job = Number(line)
    await expect.poll(() => hasLiving(job)).toBe(true)
    process.kill(job, 'SIGKILL')
    await expect.poll(() => readFileSync(`/proc/${job}/stat`, 'utf8')).toMatch(/ Z /)
    expect(() => process.kill(-job, 0)).not.toThrow()
    expect(hasLiving(job)).toBe(false)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})
