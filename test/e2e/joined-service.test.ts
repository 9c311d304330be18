import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest'
import { commandsIn, type RunningPlatform } from './running-platform.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-joined-'))
const { up, msvc } = commandsIn(folder)
const DATA = 'data'
let platform: RunningPlatform
const running = new Set<ChildProcess>()
beforeAll(async () => {
  platform = await up(DATA, '--only', 'registry,log-server,user')
})
afterAll(async () => {
  // it takes what it has started along
  for (const child of running) child.kill('SIGTERM')
  await Promise.all([...running].map((child) => once(child, 'close')))
  await platform?.stop()
  rmSync(folder, { recursive: true, force: true })
})

writeFileSync(
  join(folder, 'shop.mjs'),
  `import { createServer } from 'node:http'
console.log('the users are at ' + process.env.USER_SERVICE_URL)
createServer((_, outgoing) => outgoing.end(process.env.INSTANCE_ID)).listen(process.env.PORT, process.env.HOST)
`,
)

const rows = async () => (await msvc(DATA, 'registry', 'list', '--json')).trim()

/** Starts a command that joins the platform. */
function joining(...args: readonly string[]): ChildProcess {
  const common = ['--config', 'free.yaml', '--data', DATA]
  const child = spawn(process.execPath, [inject('program'), ...common, 'run', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

/** How a command ends, once all that it said is here. */
async function end(child: ChildProcess): Promise<unknown> {
  child.stdout?.resume()
  child.stderr?.resume()
  return once(child, 'close')
}

/** What a command says on stderr. */
function heard(child: ChildProcess) {
  const said = { err: '' }
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said.err += text
  })
  return said
}

it('joins with the environment of a service of the file, and leaves with Ctrl-C', async () => {
  const child = joining('--name', 'shop', '--json', '--', process.execPath, 'shop.mjs')
  const said = heard(child)
  if (!child.stdout) throw new Error('a pipe is asked for')
  const [line] = await once(createInterface(child.stdout), 'line')
  const told = JSON.parse(String(line))
  expect(told).toMatchObject({ service: 'shop', url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) })
  expect(await (await fetch(told.url)).text()).toBe(told.instance)
  const words = `the users are at ${platform.url('user')}`
  await vi.waitUntil(() => said.err.includes(words), { timeout: 20_000 })
  await vi.waitUntil(async () => (await rows()).includes('"service_name":"shop"'), { timeout: 20_000, interval: 100 })
  await vi.waitUntil(async () => (await msvc(DATA, 'logs', 'shop')).includes(words), { timeout: 20_000, interval: 200 })
  child.kill('SIGINT')
  expect(await end(child)).toEqual([0, null])
  expect(await rows()).not.toContain('"service_name":"shop"')
})

it('ends with the exit code of the command, and does not start it again', async () => {
  const child = joining('--name', 'job', '--ready', 'none', '--', 'sh', '-c', 'echo no; exit 7')
  const said = heard(child)
  expect(await end(child)).toEqual([7, null])
  expect(said.err).toContain('error: job ended: exit code 7\n')
  const missing = joining('--name', 'job', '--', './there-is-none')
  expect(await end(missing)).toEqual([1, null])
})

it('takes no name that something of the platform runs by, unless that was stopped', async () => {
  const child = joining('--name', 'user-service', '--ready', 'none', '--', 'sh', '-c', 'exit 7')
  const said = heard(child)
  expect(await end(child)).toEqual([2, null])
  expect(said.err).toBe(
    'error: --name: the platform runs user-service already (user); stop that with msvc stop user to run another in its place, or choose another name\n',
  )
  await msvc(DATA, 'stop', 'user')
  const inItsPlace = joining('--name', 'user-service', '--ready', 'none', '--', 'sh', '-c', 'exit 7')
  expect(await end(inItsPlace)).toEqual([7, null])
  await msvc(DATA, 'start', 'user')
})

it('wants a platform, and flags that mean something', async () => {
  const run = (...args: readonly string[]) =>
    new Promise<{ code: unknown; err: string }>((resolve) =>
      execFile(process.execPath, [inject('program'), 'run', ...args], { cwd: folder }, (fault, _, err) =>
        resolve({ code: fault?.code, err }),
      ),
    )
  const alone = await run('--name', 'shop', '--', 'true')
  expect(alone).toMatchObject({ code: 1 })
  expect(alone.err).toMatch(
    /^error: no platform runs on .*; start it with msvc up, or name another folder with --data\n$/,
  )
  const wrong = await run('--name', 'Shop', '--port', 'x', '--ready', 'maybe', '--', 'true')
  expect(wrong).toMatchObject({ code: 2 })
  expect(wrong.err.split('\n')).toMatchObject([
    expect.stringMatching(/^error: --name: expected a name/),
    expect.stringMatching(/^error: --port: /),
    expect.stringMatching(/^error: --ready: expected http/),
    '',
  ])
})
