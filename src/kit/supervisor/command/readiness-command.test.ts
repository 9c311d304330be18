import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, onTestFinished, vi } from 'vitest'
import { readyByCommand } from './readiness-command.ts'

const dir = mkdtempSync(join(tmpdir(), 'msvc-readiness-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** More than anything is waited for here. */
const LONGEST_MS = 30_000

function theatre() {
  const watched = new Set<number>()
  const leaving = new AbortController()
  const guard = {
    watch: (pid: number) => void watched.add(pid),
    release: (pid: number) => void watched.delete(pid),
  }
  const env = { PATH: process.env.PATH ?? '' }
  const ask = (command: string) =>
    readyByCommand(command, { dir, env, guard, longestMs: LONGEST_MS, signal: leaving.signal })
  return { ask, watched, leaving }
}

/** Whether a process is there that a command wrote the id of. */
function isAlive(file: string): boolean {
  try {
    const pid = Number(readFileSync(join(dir, file), 'utf8'))
    return pid > 0 && process.kill(pid, 0)
  } catch {
    return false
  }
}
const hasBegun = (file: string) => expect.poll(() => isAlive(file)).toBe(true)
const isGone = (file: string) => expect.poll(() => isAlive(file)).toBe(false)

it('ends all that it started when it takes too long', async () => {
  // by real ones it could be late before it has begun
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { ask, watched } = theatre()
  const why = ask('sh -c "echo \\$\\$ > late; sleep 300; true"; true')
  await hasBegun('late')
  expect(watched.size).toBe(1)
  vi.advanceTimersByTime(LONGEST_MS)
  expect(await why).toMatch(/ takes longer than 30 s$/)
  await isGone('late')
  expect(watched.size).toBe(0)
})

it('ends what it left in the background, and does not wait for it', async () => {
  const { ask } = theatre()
  expect(await ask('sleep 300 & echo $! > left; echo not yet; exit 3')).toMatch(/ended with exit code 3: not yet$/)
  await isGone('left')
  expect(await ask('sleep 300 & echo $! > left; exit 0')).toBeUndefined()
  await isGone('left')
})

it('ends when nobody wants to know any more', async () => {
  const { ask, leaving } = theatre()
  const why = ask('echo $$ > asked; sleep 300; true')
  await hasBegun('asked')
  leaving.abort()
  expect(await why).toMatch(/was called off$/)
  await isGone('asked')
  expect(await ask('true')).toBe('nobody wants to know any more')
})

it('says why it could not be started', async () => {
  const { ask } = theatre()
  rmSync(dir, { recursive: true })
  expect(await ask('true')).toMatch(/^true can't be started: /)
})
