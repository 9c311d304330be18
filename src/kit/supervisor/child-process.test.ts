import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Platform } from '../config/schema.ts'
import { childProcesses } from './child-process.ts'
import type { Job } from './job.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-child-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const job: Job = {
  role: 'user',
  settings: Platform.parse({}),
  section: { host: '127.0.0.1', port: 0 },
  registryUrl: 'http://127.0.0.1:1',
}

/** A launcher of a little program that speaks the protocol, its behaviour given as source text. */
function launcher(source: string, platform: NodeJS.Platform = process.platform) {
  const file = join(folder, `${crypto.randomUUID()}.cjs`)
  writeFileSync(file, source)
  const lines: string[] = []
  const launch = childProcesses({
    command: [process.execPath, file],
    suffix: ['--supervised'],
    environment: process.env,
    platform,
    onLine: (unit, line) => lines.push(`${unit}: ${line}`),
  })
  return { launch: () => launch('user', 'user-2'), lines }
}

const BOOT = `process.send({ type: 'booted' })\n`
const READY = `process.on('message', ({ job }) => process.send({ type: 'ready', service: job.role, instance: process.argv.slice(2).join(), url: 'http://x', advertised: 'http://x' }))\n`

describe('childProcesses', () => {
  it('asks a process on Windows by a message to stop, as a signal would end it there', async () => {
    const { launch } = launcher(
      `${BOOT}process.on('message', ({ type, job }) => type === 'stop' ? process.exit(7) : process.send({ type: 'ready', service: job.role, instance: 'i', url: 'http://x', advertised: 'http://x' }))\n`,
      'win32',
    )
    const member = launch()
    await member.start(job)
    member.stop()
    expect(await member.exited).toBe('exit code 7')
  })

  it('starts a process with the role and hands its lines on', async () => {
    const { launch, lines } = launcher(`${BOOT}${READY}console.error('one\\ntwo'); process.stdout.write('three')`)
    const member = launch()
    expect(await member.start(job)).toEqual({
      service: 'user',
      instance: 'user,--supervised',
      url: 'http://x',
      advertised: 'http://x',
    })
    member.stop()
    expect(await member.exited).toBe('SIGTERM')
    expect(lines.toSorted()).toEqual(['user-2: one', 'user-2: three', 'user-2: two'])
  })

  it('gives a sign of life when the process does', async () => {
    const { launch } = launcher(
      `${BOOT}process.on('message', ({ type }) => type === 'probe' && process.send({ type: 'alive' }))`,
    )
    const member = launch()
    await member.probe()
    process.kill(member.pid, 'SIGSTOP')
    const silence = member.probe()
    expect(member.probe()).toBe(silence)
    process.kill(member.pid, 'SIGCONT')
    await silence
    member.kill()
    await member.exited
  })

  it.each(['START_FAILED', 'CONFIG_INVALID'])('tells a refusal in the words of the role: %s', async (code) => {
    const { launch } = launcher(
      `${BOOT}process.on('message', () => process.send({ type: 'refused', code: '${code}', message: 'port 1 is taken' }))`,
    )
    const member = launch()
    await expect(member.start(job)).rejects.toMatchObject({ code, message: 'port 1 is taken' })
    member.kill()
    expect(await member.exited).toBe('SIGKILL')
  })

  it('tells of a process that ends before it is ready', async () => {
    const { launch } = launcher(`${BOOT}process.on('message', () => process.exit(3))`)
    const member = launch()
    await expect(member.start(job)).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'ended with exit code 3' })
    expect(await member.exited).toBe('exit code 3')
  })

  it('tells of a program that is not there', async () => {
    const launch = childProcesses({ command: [join(folder, 'none')], suffix: [], environment: {}, onLine: () => {} })
    const member = launch('user', 'user')
    await expect(member.start(job)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await member.exited).toMatch(/^could not start: spawn .*ENOENT$/)
  })
})
