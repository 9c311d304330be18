import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, inject, it } from 'vitest'

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
  writeFileSync(join(folder, 'held.yaml'), 'registry: { port: 0 }\n')
  const started = msvc(512, 'serve', 'registry', '--config', 'held.yaml', '--data', '/dev/null/x')
  expect((await started).stderr).toMatch(/^warning: open files: 512; ulimit -n 20000 .* \(msvc doctor\)$/m)
})

it('has each that starts say once what is too low for load', async () => {
  const taker = createServer()
  await new Promise<void>((resolve) => taker.listen(0, '127.0.0.1', resolve))
  const { port } = taker.address() as AddressInfo
  // neither gets beyond its start
  writeFileSync(join(folder, 'low.yaml'), `data: low\nregistry: { port: ${port} }\n`)
  const serving = msvc(1_024, 'serve', 'registry', '--config', 'low.yaml', '--data', '/dev/null/x')
  const said = [await serving, await msvc(1_024, 'up', '--config', 'low.yaml')]
  await new Promise((resolve) => taker.close(resolve))
  for (const { stderr } of said)
    expect(stderr.match(/^warning: too low for load: .*open files: 1,024 \(ulimit -n 20000 .*/gm)).toHaveLength(1)
})

it('judges the clock by what it wrote itself', async () => {
  writeFileSync(join(folder, 'clock.yaml'), 'data: kept\n')
  mkdirSync(join(folder, 'kept'), { mode: 0o700 })
  writeFileSync(join(folder, 'kept/store.db'), '')
  const { stdout } = await msvc(20_000, 'doctor', '--config', 'clock.yaml')
  expect(stdout).toMatch(/^clock +20\d\d-\S+Z +good *$/m)
})

it.skipIf(process.getuid?.() !== 0)('finds a data folder bad that belongs to somebody else', async () => {
  const data = join(folder, 'roots')
  mkdirSync(data, { mode: 0o700 })
  chmodSync(folder, 0o755)
  const command = [inject('program'), 'doctor', '--data', data]
  const env = { PATH: process.env.PATH, NO_COLOR: '1' }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, command, {
    cwd: folder,
    env,
    uid: 4_242,
  }).catch((fault: { stdout: string; stderr: string }) => fault)
  expect(stdout).toMatch(
    /^data folder +\S+ belongs to uid 0, and this is uid 4242 +bad +run msvc as that user, or name/m,
  )
  expect(stderr).toMatch(/^error: not good enough: .*data folder/m)
})
