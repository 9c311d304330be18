import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { guardCommand } from './guard.ts'

const isAlive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

it('ends groups, and what has left them, when who guards them is killed', async () => {
  const mark = `MSVC_RUN=guard-test-${process.pid}`
  const guard = new URL('guard.ts', import.meta.url).pathname
  const script = `
    import { spawn } from 'node:child_process'
    import { createGuard } from '${guard}'
    const guard = createGuard('${mark}')
    const line = 'sleep 60 & echo $!; setsid sleep 60 & echo $!; trap "" TERM; echo $$; while :; do sleep 1; done'
    const child = spawn('/bin/sh', ['-c', line], { detached: true, stdio: ['ignore', 'inherit', 'ignore'], env: { PATH: process.env.PATH, MSVC_RUN: '${mark.split('=')[1]}' } })
    guard.watch(-child.pid)
    // before that nobody guards them
    process.stdout.write('watched\\n')
  `
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  holder.stdout.on('data', (chunk: Buffer) => {
    said += chunk
  })
  await vi.waitUntil(() => said.trim().split('\n').length === 4, { timeout: 20_000 })
  const pids = [...said.matchAll(/\d+/g)].map(Number)
  expect(pids.map(isAlive)).toEqual([true, true, true])
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  await vi.waitUntil(() => !pids.some(isAlive), { timeout: 20_000 })
})

it('is a shell, and PowerShell on Windows, which ends whole trees', () => {
  expect(guardCommand('A=1', 'linux')).toEqual([
    '/bin/sh',
    '-c',
    expect.stringContaining('kill -s KILL'),
    'msvc-guard',
    'A=1',
  ])
  const [program, ...args] = guardCommand('', 'win32')
  expect(program).toBe('powershell.exe')
  expect(args.at(-1)).toMatch(/taskkill\.exe \/PID .* \/T \/F/)
})
