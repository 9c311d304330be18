import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, expect, inject, it, vi } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'msvc-manager-'))
const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// stands for systemd's own, and writes down what it is to tell
const told = join(folder, 'told')
mkdirSync(join(folder, 'bin'))
writeFileSync(join(folder, 'bin/systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET|$*" >>${told}\n`)
chmodSync(join(folder, 'bin/systemd-notify'), 0o755)

function manage(...args: readonly string[]) {
  writeFileSync(told, '')
  const env = {
    PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
    NO_COLOR: '1',
    NOTIFY_SOCKET: '/run/manager',
    WATCHDOG_USEC: '400000',
  }
  const child = spawn(process.execPath, [inject('program'), ...args], { cwd: folder, env, stdio: 'ignore' })
  running.add(child)
  return { child, ended: once(child, 'exit') }
}

const lines = () => readFileSync(told, 'utf8').trim().split('\n')
const beats = () => lines().filter((line) => line.includes('WATCHDOG=1')).length
/** What comes while the last is told is one line, in whatever order. */
const states = () =>
  lines().flatMap((line) => [...line.matchAll(/[| ](READY|RELOADING|STOPPING)=1(?= |$)/g)].map(([, state]) => state))

it.each([
  ['serve', ['serve', 'registry', '--port', '0'], /STATUS=Ready: registry at http:/],
  ['up', ['up', '--only', 'registry,user', '--config', 'free.yaml'], /STATUS=Ready: registry, user/],
])('tells the service manager how %s does, from its start to its end', async (_, args, ready) => {
  writeFileSync(join(folder, 'free.yaml'), 'registry: { port: 0 }\nuser: { port: 0 }\n')
  const { child, ended } = manage(...args)
  await vi.waitUntil(() => beats() > 1, { timeout: 20_000 })
  // of this process alone: what it starts has no business with the manager
  expect(lines().filter((line) => line.includes('READY=1'))).toEqual([expect.stringMatching(ready)])
  expect(lines().every((line) => line.startsWith('/run/manager|'))).toBe(true)
  child.kill('SIGSTOP')
  await vi.waitUntil(
    () =>
      new Promise((resolve) => {
        const before = beats()
        setTimeout(() => resolve(beats() === before), 1_000)
      }),
    { timeout: 20_000 },
  )
  child.kill('SIGCONT')
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(lines().some((line) => line.includes('STOPPING=1'))).toBe(true)
})

it('tells it that the platform is renewed, lives on and is ready again, when that becomes another program', async () => {
  const roles = ['registry', 'user', 'outbound'].map((role) => `${role}: { port: 0 }\n`).join('')
  writeFileSync(join(folder, 'upgraded.yaml'), roles)
  const of = ['--config', 'upgraded.yaml', '--data', 'upgraded']
  const { child, ended } = manage('up', '--only', 'registry,user', ...of)
  await vi.waitUntil(() => beats() > 1, { timeout: 30_000 })
  const env = { PATH: process.env.PATH, NO_COLOR: '1' }
  await promisify(execFile)(process.execPath, [inject('program'), 'upgrade', ...of], { cwd: folder, env })
  const since = beats()
  await vi.waitUntil(() => beats() > since + 1 && states().length > 2, { timeout: 30_000 })
  expect(states()).toEqual(['READY', 'RELOADING', 'READY'])
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})
