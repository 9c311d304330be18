import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
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
  const asked = askProgram(['sh', '-c', 'sleep 60 & echo $! >pid; wait'], { ...how, cwd: folder, patienceMs: 1_000 })
  await expect(asked).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT', message: 'it gives no answer within 1 s' })
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
  // who is nobody's child any more may be there as a zombie for a while
  const isGone = () => {
    const { status, stdout } = spawnSync('ps', ['-o', 'stat=', '-p', `${pid}`], { encoding: 'utf8' })
    return status !== 0 || stdout.startsWith('Z')
  }
  await vi.waitUntil(isGone, { timeout: 20_000 })
})
