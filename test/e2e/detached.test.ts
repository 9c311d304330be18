import { execFile } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, it, vi } from 'vitest'
import { portOf } from '../../src/kit/http/port-of.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-detached-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeFileSync(join(folder, 'msvc.yaml'), 'registry: { port: 0 }\nuser: { port: 0 }\n')

/** Runs a command line to its end. */
function msvc(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH, NO_COLOR: '1', TMPDIR: folder }
  return new Promise((resolve) => {
    execFile(process.execPath, [inject('program'), ...args], { cwd: folder, env }, (fault, out, err) =>
      resolve({ code: fault === null ? 0 : Number(fault.code), out, err }),
    )
  })
}

const log = join(folder, '.msvc', 'up.log')

it('runs in the background once it is ready, and ends when it is told to', async () => {
  const up = await msvc('up', '--detach', '--only', 'registry,user')
  try {
    expect(up).toMatchObject({ code: 0, err: '' })
    expect(up.out).toMatch(/^\nUNIT +SERVICE +ADDRESS +PID\nregistry +registry +http:.*\nuser +user-service +http:/)
    // lines that nobody waits for are written a moment later
    await vi.waitUntil(() => readFileSync(log, 'utf8').includes('user ready at http://127.0.0.1:'), { timeout: 20_000 })
    expect(statSync(log).mode & 0o777).toBe(0o600)
    const { units } = JSON.parse((await msvc('ps', '--json')).out)
    expect(units).toMatchObject([
      { unit: 'registry', state: 'ready' },
      { unit: 'user', state: 'ready' },
    ])
    appendFileSync(log, Buffer.alloc(10 * 1_048_576, 'what it said in half a year\n'))
    await vi.waitUntil(() => statSync(log).size < 1_000, { timeout: 20_000 })
    expect(statSync(`${log}.1`).size).toBeGreaterThanOrEqual(10 * 1_048_576)
    expect(await msvc('up', '--detach')).toEqual({ code: 0, out: 'nothing has changed\n', err: '' })
  } finally {
    expect(await msvc('down')).toMatchObject({ code: 0 })
  }
  expect((await msvc('ps')).err).toContain('nothing runs on')
})

it('ends with 1 when services fail, and says which and why', async () => {
  const failing = (name: string, code: number) =>
    `  ${name}: { run: exit ${code}, ready: none, restart: { when: on-failure, budget: 1 } }\n`
  writeFileSync(join(folder, 'failing.yaml'), `registry: { port: 0 }\nservices:\n${failing('broken', 3)}`)
  const by = ['--config', 'failing.yaml', '--data', 'failing']
  const why = (name: string, code: number) =>
    expect.stringMatching(`^error: ${name}: failed.*: exit code ${code}; .*\n$`)
  const up = await msvc('up', '--detach', '--only', 'registry,broken', ...by)
  try {
    expect(up).toEqual({ code: 1, out: expect.stringMatching(/\nbroken +broken +- +failed/), err: why('broken', 3) })
    writeFileSync(join(folder, 'failing.yaml'), `registry: { port: 0 }\nservices:\n${failing('broken', 4)}`)
    const applied = await msvc('apply', ...by)
    expect(applied).toEqual({ code: 1, out: 'restarted broken\n', err: why('broken', 4) })
    const scaled = await msvc('scale', 'broken=2', ...by)
    expect(scaled).toEqual({ code: 1, out: 'started broken-2\n', err: why('broken-2', 4) })
  } finally {
    expect(await msvc('down', ...by)).toMatchObject({ code: 0 })
  }
})

it('says why it does not start, and leaves nothing behind', async () => {
  writeFileSync(log, 'of the one before\n')
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const port = portOf(taken)
  writeFileSync(join(folder, 'taken.yaml'), `registry: { port: ${port} }\n`)
  const up = await msvc('up', '--detach', '--only', 'registry', '--config', 'taken.yaml')
  taken.close()
  expect(up).toMatchObject({ code: 1, out: '' })
  expect(up.err).toBe(
    `error: registry: port ${port} on 127.0.0.1 is taken by another program; stop it, or use --port-offset\n`,
  )
  expect(readFileSync(`${log}.1`, 'utf8')).toBe('of the one before\n')
  expect((await msvc('down')).code).toBe(1)
  const wrong = await msvc('up', '--detach', '--only', 'registri')
  expect(wrong).toMatchObject({ code: 2 })
  expect(wrong.err).toContain('there is no role or service registri')
})

it.skipIf(process.platform === 'win32')(
  'is told of when it stands still, and goes on as it was',
  async () => {
    expect(await msvc('up', '--detach', '--only', 'registry,user')).toMatchObject({ code: 0 })
    const { pid } = JSON.parse(readFileSync(join(folder, '.msvc', 'run.json'), 'utf8'))
    try {
      process.kill(pid, 'SIGSTOP')
      const [ps, down, restart, up] = await Promise.all([
        msvc('ps', '--json'),
        msvc('down'),
        msvc('restart', 'user'),
        msvc('up', '--detach'),
      ])
      const says = expect.stringContaining(
        `process ${pid} was stopped by a signal or a debugger (state T); kill -CONT ${pid}`,
      )
      expect(ps).toMatchObject({ code: 0, err: says })
      expect(JSON.parse(ps.out).units).toMatchObject([{ unit: 'registry' }, { unit: 'user' }])
      for (const command of [down, restart, up]) expect(command).toMatchObject({ code: 1, out: '', err: says })
      process.kill(pid, 'SIGCONT')
      // what nobody waits for any more isn't done
      await expect
        .poll(async () => JSON.parse((await msvc('ps', '--json')).out).units)
        .toMatchObject([
          { unit: 'registry', state: 'ready', restarts: 0 },
          { unit: 'user', state: 'ready', restarts: 0 },
        ])
    } finally {
      process.kill(pid, 'SIGCONT')
      expect(await msvc('down')).toMatchObject({ code: 0 })
    }
  },
  180_000,
)
