import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { askProgram } from './asked-program.ts'

const how = { cwd: '/', env: { PATH: process.env.PATH }, patienceMs: 10_000 }

it('gives what a program says, and how it ends', async () => {
  const answer = await askProgram(['sh', '-c', 'echo 1.2.3; echo no >&2; exit 3'], how)
  expect(answer).toEqual({ code: 3, out: '1.2.3\n', err: 'no\n' })
  await expect(askProgram(['/nowhere/msvc', '--version'], how)).rejects.toThrow('ENOENT')
})

it.skipIf(process.platform === 'win32')('ends one that takes too long, with what it has started', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-asked-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const line = 'sleep 60 & echo $! >new; mv new pid; wait'
  const asked = askProgram(['sh', '-c', line], { ...how, cwd: folder, patienceMs: 600_000 })
  const refused = expect(asked).rejects.toMatchObject({
    code: 'REQUEST_TIMEOUT',
    message: 'it gives no answer within 600 s',
  })
  await vi.waitUntil(() => existsSync(join(folder, 'pid')), { timeout: 20_000 })
  vi.advanceTimersByTime(600_000)
  await refused
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
  // who is nobody's child any more may be there as a zombie for a while
  const isGone = () => {
    const { status, stdout } = spawnSync('ps', ['-o', 'stat=', '-p', `${pid}`], { encoding: 'utf8' })
    return status !== 0 || stdout.startsWith('Z')
  }
  await vi.waitUntil(isGone, { timeout: 20_000 })
})
