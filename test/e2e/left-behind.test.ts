import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, inject, it, vi } from 'vitest'

const MAIN = inject('program')
/** Longer than two signals that count as one. */
const APART_MS = 200
/** The bar is 1 s; what is left behind stays for ever, so that a busy machine may take longer. */
const PATIENCE_MS = 20_000

const folder = mkdtempSync(join(tmpdir(), 'msvc-left-'))
const pids: number[] = []
afterAll(() => {
  for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** What the system says of a process by a name. */
const statusOf = (pid: number, name: string) =>
  new RegExp(`^${name}:\\s+(\\w+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]

/** Whether a process that hangs was asked to end: the signal waits for it to go on. */
function isAsked(pid: number): boolean {
  const pending = statusOf(pid, 'ShdPnd') ?? '0'
  return (BigInt(`0x${pending}`) & (1n << BigInt(constants.signals.SIGTERM - 1))) !== 0n
}

/** Starts `msvc up` with one role, which hangs then. */
async function upWithHangingRole(data: string): Promise<{ child: ChildProcess; role: number }> {
  writeFileSync(join(folder, 'free.yaml'), 'registry: { port: 0 }\n')
  const args = ['up', '--json', '--quiet', '--only', 'registry', '--config', 'free.yaml', '--data', data]
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  pids.push(child.pid ?? 0)
  const [line] = await once(createInterface(child.stdout), 'line')
  const role = JSON.parse(line).roles[0].pid
  pids.push(role)
  process.kill(role, 'SIGSTOP')
  await vi.waitUntil(() => statusOf(role, 'State') === 'T', { timeout: 20_000 })
  return { child, role }
}

describe('a role that hangs is not left behind', () => {
  it('when msvc up is killed', async () => {
    const { child, role } = await upWithHangingRole('killed')
    child.kill('SIGKILL')
    await vi.waitUntil(() => !isAlive(role), { timeout: PATIENCE_MS })
  })

  it('when Ctrl-C comes twice', async () => {
    const { child, role } = await upWithHangingRole('interrupted')
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    await vi.waitUntil(() => isAsked(role), { timeout: 20_000 })
    await delay(APART_MS)
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    await vi.waitUntil(() => !isAlive(role), { timeout: PATIENCE_MS })
  })
})
