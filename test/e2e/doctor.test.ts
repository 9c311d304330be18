import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, inject, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'msvc-doctor-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a command where no more files may be open than so many; what is bad of this machine besides is as good as nothing here. */
async function msvc(files: number, ...args: readonly string[]) {
  return msvcWith({}, files, ...args)
}

async function msvcWith(more: Readonly<Record<string, string>>, files: number, ...args: readonly string[]) {
  const script = `ulimit -n ${files} && exec "$@"`
  const command = ['-c', script, 'sh', process.execPath, inject('program'), ...args]
  const env = { PATH: process.env.PATH, NO_COLOR: '1', ...more }
  const done = promisify(execFile)('/bin/sh', command, { cwd: folder, env })
  return done.catch((fault: { stdout: string; stderr: string }) => fault)
}

it('says what is too low, how to raise it, and what holds of the configuration', async () => {
  writeFileSync(
    join(folder, 'msvc.yaml'),
    'data: elsewhere\nlog: { level: LOUD }\nstore: postgres://ann:hunter2@db/x\n',
  )
  const { stdout, stderr } = await msvc(512, 'doctor')
  expect(stdout).toMatch(/^configuration +msvc\.yaml, with a fault +bad +msvc check$/m)
  expect(stdout).toMatch(/^data +.*elsewhere$/m)
  expect(stdout).toMatch(/^running +nothing$/m)
  expect(stdout).toMatch(/^open files +512 +bad +ulimit -n 20000 \(LimitNOFILE=/m)
  expect(stderr).toMatch(/^error: not good enough: configuration, open files/m)

  const report = JSON.parse((await msvc(512, 'doctor', '--json')).stdout)
  expect(report).toMatchObject({
    facts: { msvc: expect.any(String), system: expect.stringContaining(process.platform) },
    faults: [expect.stringMatching(/^msvc\.yaml:2: log\.level: /)],
    findings: expect.arrayContaining([{ what: 'open files', found: '512', is: 'bad', remedy: expect.any(String) }]),
  })
  expect(JSON.stringify(report)).not.toContain('hunter2')
})

it('says that a file is no folder, rather than advise to change its rights', async () => {
  const { stdout } = await msvc(512, 'doctor', '--data', '/dev/null')
  expect(stdout).toMatch(/^data folder +\/dev\/null is no folder +bad +name another folder with --data$/m)
  expect(stdout).not.toContain('chmod')
})

it('looks at the ports that a platform would have, and goes on beyond a fault in a variable', async () => {
  const taker = createServer()
  await new Promise<void>((resolve) => taker.listen(0, '127.0.0.1', resolve))
  const { port } = taker.address() as AddressInfo
  writeFileSync(join(folder, 'ports.yaml'), `registry: { port: ${port} }\n`)
  const [taken, faulty] = await Promise.all([
    msvc(512, 'doctor', '--config', 'ports.yaml'),
    msvcWith({ MSVC_LOG_LEVEL: 'LOUD', NODE_OPTIONS: '--max-old-space-size=1000000' }, 512, 'doctor'),
  ])
  await new Promise((resolve) => taker.close(resolve))
  expect(taken.stdout).toMatch(new RegExp(`^ports +taken: .*127\\.0\\.0\\.1:${port} of registry.* low `, 'm'))
  expect(faulty.stdout).toMatch(/^configuration .*, with (?:a fault|2 faults) +bad +msvc check$/m)
  expect(faulty.stdout).toMatch(/^heap +up to .* low +NODE_OPTIONS=--max-old-space-size-percentage=60/m)
})

it('is heeded by what starts', async () => {
  const taker = createServer()
  await new Promise<void>((resolve) => taker.listen(0, '127.0.0.1', resolve))
  const { port } = taker.address() as AddressInfo
  // gets no further than its start
  writeFileSync(join(folder, 'held.yaml'), `data: held\nregistry: { port: ${port} }\n`)
  const { stderr } = await msvc(512, 'serve', 'registry', '--config', 'held.yaml')
  await new Promise((resolve) => taker.close(resolve))
  expect(stderr).toMatch(/^warning: open files: 512; ulimit -n 20000 .* \(msvc doctor\)$/m)
})

it('has each that starts say once what is too low for load', async () => {
  const taker = createServer()
  await new Promise<void>((resolve) => taker.listen(0, '127.0.0.1', resolve))
  const { port } = taker.address() as AddressInfo
  // neither gets beyond its start
  writeFileSync(join(folder, 'low.yaml'), `data: low\nregistry: { port: ${port} }\n`)
  const serving = msvc(1_024, 'serve', 'registry', '--config', 'low.yaml')
  const said = [await serving, await msvc(1_024, 'up', '--config', 'low.yaml')]
  await new Promise((resolve) => taker.close(resolve))
  for (const { stderr } of said)
    expect(stderr.match(/^warning: too low for load: .*open files: 1,024, ulimit -n 20000 .*/gm)).toHaveLength(1)
})

it('judges the clock by what it wrote itself', async () => {
  writeFileSync(join(folder, 'clock.yaml'), 'data: kept\n')
  mkdirSync(join(folder, 'kept'), { mode: 0o700 })
  writeFileSync(join(folder, 'kept/store.db'), '')
  const { stdout } = await msvc(20_000, 'doctor', '--config', 'clock.yaml')
  expect(stdout).toMatch(/^clock +20\d\d-\S+Z +good *$/m)
})

it('finds bad what is no folder in the end, and what is no database', async () => {
  symlinkSync('loop', join(folder, 'loop'))
  const looped = await msvc(20_000, 'doctor', '--data', 'loop')
  expect(looped.stdout).toMatch(/^data folder +\S+loop can't be used: links lead in a circle +bad +name another/m)
  const data = join(folder, 'broken')
  mkdirSync(data, { mode: 0o700 })
  writeFileSync(join(data, 'user-service.db'), randomBytes(4_096))
  const { stdout } = await msvc(20_000, 'doctor', '--data', 'broken')
  expect(stdout).toMatch(/^databases in the data folder +user-service\.db: no database +bad +msvc restore a backup$/m)
})

describe.skipIf(process.getuid?.() !== 0)('a data folder that this user may not use', () => {
  /** Runs a command as a user who has nothing. */
  async function asNobody(...args: readonly string[]) {
    const how = { cwd: folder, env: { PATH: process.env.PATH, NO_COLOR: '1' }, uid: 4_242 }
    writeFileSync(join(folder, 'sound.yaml'), 'registry: { port: 0 }\n')
    const command = [inject('program'), ...args, '--config', 'sound.yaml']
    const ran = promisify(execFile)(process.execPath, command, how)
    return ran.catch((fault: { stdout: string; stderr: string }) => fault)
  }
  function dataOf(name: string, mode: number, uid: number): string {
    const data = join(folder, name)
    chmodSync(folder, 0o755)
    mkdirSync(data)
    chownSync(data, uid, uid)
    chmodSync(data, mode)
    return data
  }

  it('is bad where it belongs to somebody else', async () => {
    const { stdout, stderr } = await asNobody('doctor', '--data', dataOf('roots', 0o700, 0))
    expect(stdout).toMatch(
      /^data folder +\S+ belongs to uid 0, and this is uid 4242 +bad +run msvc as that user, or name/m,
    )
    expect(stderr).toMatch(/^error: not good enough: .*data folder/m)
  })

  it('is bad where nothing can be written, and refused in one line by what starts', async () => {
    const data = dataOf('closed', 0o500, 4_242)
    const { stdout } = await asNobody('doctor', '--data', data)
    expect(stdout).toMatch(/^data folder +\S+ can't be used: this user may not write there +bad /m)
    for (const words of [['serve', 'registry', '--port', '0'], ['up']]) {
      const { stderr } = await asNobody(...words, '--data', data)
      expect(stderr).toMatch(
        /^error: (?:registry: )?The data folder \S+ can't be written to: this user may not write there; choose/m,
      )
    }
    const { stderr } = await asNobody('token', '--subject', 'ann', '--data', data)
    expect(stderr).toMatch(/^error: The folder \S+keys can't be made: this user may not write there$/m)
  })
})

it.each([
  [
    '/nodir/key.json',
    /^error: The key \/nodir\/key\.json can't be written: there is no folder \/nodir; make it, or name another file$/m,
  ],
  ['/dev/null/key.json', /can't be written: something that is no folder stands in its way$/m],
])('says why a key can not be written to %s', async (path, why) => {
  expect((await msvc(20_000, 'keys', 'new', '--out', path)).stderr).toMatch(why)
})
