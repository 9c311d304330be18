import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROGRAM } from './role-process.ts'

const KEYS = 200_000
/** The program's start on a busy machine, and some seconds for the file. */
const SOON_MS = 15_000

let folder: string
let huge: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-bounds-'))
  huge = join(folder, 'huge.yaml')
  const keys = Array.from({ length: KEYS }, (_, n) => `    product ${n}: ${n}`)
  writeFileSync(huge, `order:\n  prices:\n${keys.join('\n')}\n`)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs `msvc` in the folder; resolves with how it ended and what it said, at the latest `SOON_MS` after its start. */
function run(...args: readonly string[]) {
  const [node, main] = PROGRAM
  const env = { PATH: process.env.PATH, NO_COLOR: '1' }
  const child = spawn(node, [main, ...args], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const patience = setTimeout(() => child.kill('SIGKILL'), SOON_MS)
  const ended = once(child, 'close').then(([code, signal]) => {
    clearTimeout(patience)
    return { how: code ?? signal, said }
  })
  return { child, ended }
}

describe('a configuration', () => {
  it(`of ${KEYS} keys is read, or refused, in seconds`, async () => {
    const { how, said } = await run('check', '--config', huge).ended
    expect([0, 2], said).toContain(how)
  })

  it('that is large lets a signal end the program while it is read', async () => {
    const { child, ended } = run('serve', 'order', '--port', '0', '--data', join(folder, 'data'), '--config', huge)
    const { size } = statSync(huge)
    await expect.poll(() => bytesRead(child.pid ?? 0), { timeout: SOON_MS, interval: 5 }).toBeGreaterThan(size)
    const since = performance.now()
    child.kill('SIGTERM')
    expect((await ended).how).not.toBe('SIGKILL')
    expect(performance.now() - since).toBeLessThan(2_000)
  })

  it('that is no file is refused', async () => {
    const pipe = join(folder, 'pipe.yaml')
    execFileSync('mkfifo', [pipe])
    for (const path of [pipe, folder, '/dev/zero']) {
      expect((await run('check', '--config', path).ended).how, path).toBe(2)
    }
  })

  it('whose data folder cannot be made is refused', async () => {
    const { how, said } = await run('serve', 'user', '--port', '0', '--data', '/proc/nowhere').ended
    expect(how, said).toEqual(expect.toBeOneOf([1, 2]))
    expect(said).toContain('/proc/nowhere')
  })
})

/** Bytes that a process has read from files (proc(5): rchar); beyond everything once it has ended. */
function bytesRead(pid: number): number {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
