import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { type GroupOptions, startGroup } from './process-group.ts'

const dir = mkdtempSync(join(tmpdir(), 'msvc-group-'))
// a link, not a copy: what another test forks while a copy is written holds it open, and then it can't be executed
symlinkSync('/bin/sleep', join(dir, 'slow'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const PATH = process.env.PATH ?? ''
let count = 0

async function run(command: GroupOptions['command'], options: Partial<GroupOptions> = {}) {
  let said = ''
  const watched = new Set<number>()
  const group = await startGroup({
    command,
    dir,
    env: { PATH, WHO: `test-${process.pid}-${count++}` },
    mark: 'WHO',
    stop: { signal: 'SIGTERM', graceMs: 30_000 },
    guard: { watch: (pid) => void watched.add(pid), release: (pid) => void watched.delete(pid) },
    onOutput: (stream, chunk) => {
      said += `${stream}: ${chunk}`
    },
    ...options,
  })
  return { group, watched, said: () => said, until: (text: string | RegExp) => expect.poll(() => said).toMatch(text) }
}

const isAlive = (pid: number) => {
  try {
    // a zombie that nobody has fetched yet is dead
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('a process group', () => {
  it('says that it may hold no NUL byte, and no secret that does', async () => {
    const fault = await run(['true'], { env: { PATH, API_KEY: 'hunter2\0' } }).catch((thrown: unknown) => thrown)
    expect(fault).toMatchObject({
      code: 'START_FAILED',
      message: "true can't be started: its command, folder or environment holds a NUL byte",
    })
    expect(inspect(fault)).not.toContain('hunter2')
  })

  it('says that an environment is too long', async () => {
    const fault = run(['true'], { env: { PATH, LONG: 'x'.repeat(4_000_000) } })
    await expect(fault).rejects.toThrow("true can't be started: its arguments and environment are too long")
  })

  it.each([
    ['exit 0', 'exit code 0'],
    ['exit 3', 'exit code 3'],
    ['pyhton3 x', 'exit code 127, command not found'],
    ['./plain', 'exit code 126, not executable'],
    ['kill -9 $$', 'SIGKILL'],
    ['. ./sourced.sh', 'exit code 7'],
    ['exit', 'exit code 0'],
    ['wait', 'exit code 0'],
    [':', 'exit code 0'],
    ['command -v sh', 'exit code 0'],
    ['type sh', 'exit code 0'],
    ['true', 'exit code 0'],
  ])('tells how %s ended', async (line, how) => {
    writeFileSync(join(dir, 'plain'), 'x', { mode: 0o600 })
    writeFileSync(join(dir, 'sourced.sh'), 'exit 7')
    const { group, watched } = await run(line)
    expect(await group.exited).toBe(how)
    expect(watched.size).toBe(0)
  })

  it('runs words without a shell, and says what is wrong with the first', async () => {
    const { group, said } = await run(['printf', '%s', '$HOME'])
    await group.exited
    expect(said()).toBe('stdout: $HOME')
    await expect(run(['pyhton3'])).rejects.toMatchObject({
      code: 'START_FAILED',
      message: "pyhton3 can't be started: there is no such program",
    })
  })

  it('keeps the last words', async () => {
    const { group, said } = await run('echo out; echo err >&2; head -c 100000 /dev/zero | tr "\\0" x')
    await group.exited
    expect(said()).toMatch(/stdout: out/)
    expect(said()).toMatch(/stderr: err/)
    expect(said().replaceAll(/[^x]/g, '')).toHaveLength(100_000)
  })

  it('stops all of it, in its own time', async () => {
    const { group, said, until } = await run(
      'sh -c \'trap "echo drained; exit 0" TERM; echo up; while :; do sleep 0.05; done\' & wait',
    )
    await until('up')
    group.stop()
    expect(await group.exited).toBe('SIGTERM')
    expect(said()).toContain('drained')
  })

  it('kills what does not stop in time', async () => {
    const { group, said, until } = await run(
      'trap "" TERM; sh -c "echo child $$; sleep 60" & echo "pid $!"; wait; sleep 60',
      {
        stop: { signal: 'SIGTERM', graceMs: 100 },
      },
    )
    await until('child')
    // another process says it than the child does
    await until(/pid \d+/)
    const child = Number(/pid (\d+)/.exec(said())?.[1])
    expect(isAlive(child)).toBe(true)
    group.stop()
    expect(await group.exited).toBe('SIGKILL')
    expect(isAlive(child)).toBe(false)
  })

  it('takes what a command leaves behind with it, also what has left the group', async () => {
    const { group, said } = await run('sleep 60 & echo "kept $!"; setsid sleep 60 & echo "strayed $!"; exit 1')
    expect(await group.exited).toBe('exit code 1')
    for (const [, pid] of said().matchAll(/(?:kept|strayed) (\d+)/g)) {
      await expect.poll(() => isAlive(Number(pid))).toBe(false)
    }
    expect([...said().matchAll(/\d+/g)]).toHaveLength(2)
  })
})

it.runIf(process.platform === 'linux')(
  'takes with it what has left the group and emptied its environment, from its stop on or seen before',
  async () => {
    const away = 'setsid env -i /bin/sh -c "echo away \\$\\$; exec sleep 60"'
    const { group, said, watched, until } = await run(`${away} & wait`)
    await until('away')
    const [, first] = /away (\d+)/.exec(said()) ?? []
    expect(isAlive(Number(first))).toBe(true)
    group.stop()
    await group.exited
    await expect.poll(() => isAlive(Number(first))).toBe(false)
    expect([...watched]).toEqual([])

    const other = await run(`(${away} & sleep 60) & wait`)
    await other.until('away')
    const pid = Number(/away (\d+)/.exec(other.said())?.[1])
    // by then it has been looked at
    await expect.poll(() => other.watched.has(pid)).toBe(true)
    other.group.kill()
    await other.group.exited
    await expect.poll(() => isAlive(pid)).toBe(false)
  },
)

describe('a line for the shell', () => {
  it.each([
    ['sleep 60', 'sleep'],
    ['/bin/sleep 60', 'sleep'],
    ['./slow 60', 'slow'],
    ['read -r line', 'exit'],
    ['sleep "6 0"', 'exit'],
    ['sleep 60 # for a while', 'sh'],
    ['LEVEL=1 sleep 60', 'sh'],
    ['cd / && sleep 60', 'sh'],
  ])('%s: %s is the process that gets signals', async (line, name) => {
    const { group } = await run(line)
    const comm = () => {
      try {
        return readFileSync(`/proc/${group.pid}/comm`, 'utf8').trim()
      } catch {
        return 'exit'
      }
    }
    await expect.poll(comm).toBe(name)
    group.kill()
    await group.exited
  })
})
