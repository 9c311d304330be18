import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { processFigures } from './process-figures.ts'

const never = new AbortController().signal

it('tells what a busy process takes, and nothing of one that has ended', async () => {
  const busy = spawn(process.execPath, ['-e', 'console.log(1); for (;;);'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  try {
    await Promise.all([once(busy.stdout, 'data'), once(gone, 'exit')])
    const [pid, ended] = [busy.pid ?? 0, gone.pid ?? 0]
    const figures = await processFigures([pid, ended], never)
    expect([...figures.keys()]).toEqual([pid])
    expect(figures.get(pid)?.memory).toBeGreaterThan(10_000_000)
    // a machine with more to do may give it nothing for as long as it is looked at
    await expect.poll(async () => (await processFigures([pid], never)).get(pid)?.cpu).toBeGreaterThan(0.01)
    // the way of other systems, which have no /proc
    if (!['/bin/ps', '/usr/bin/ps'].some(existsSync)) return
    await expect
      .poll(async () => (await processFigures([pid], never, 'darwin')).get(pid)?.memory)
      .toBeGreaterThan(10_000_000)
  } finally {
    busy.kill('SIGKILL')
  }
})
