import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, inject, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'msvc-heap-'))
const running = new Set<ChildProcess>()
afterEach(async () => {
  for (const child of running) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Lets the engine's heap outgrow any machine, as it does by itself in a small container. */
const GREEDY = '--max-semi-space-size=1000000'

function msvc(options: string, ...args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [inject('program'), ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, NODE_OPTIONS: options },
    stdio: 'ignore',
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

const variablesOf = (pid: number | undefined) => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
const textOf = (name: string) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '')

it.skipIf(process.platform !== 'linux')(
  'begins anew with a heap that fits, as the same process, and its services hear nothing of it',
  async () => {
    const service = `run: ["sh", "-c", "echo $NODE_OPTIONS $MSVC_NODE_OPTIONS > said; sleep 60"]`
    writeFileSync(
      join(folder, 'msvc.yaml'),
      `registry: { port: 0 }\nservices: { probe: { ${service}, ready: none } }\n`,
    )
    const up = msvc(GREEDY, 'up', '--only', 'registry,probe')
    await expect.poll(() => textOf('said'), { timeout: 20_000 }).toBe(`${GREEDY}\n`)
    expect(variablesOf(up.pid)).toContain(`MSVC_NODE_OPTIONS=${GREEDY}`)
    expect(variablesOf(up.pid)).toContainEqual(
      expect.stringMatching(`^NODE_OPTIONS=${GREEDY} --max-old-space-size=\\d+$`),
    )
    // a role's process is bound too
    const roles = () => JSON.parse(textOf('.msvc/run.json') || '{"roles":[]}').roles
    await expect.poll(roles, { timeout: 20_000 }).toHaveLength(1)
    const bound = expect.stringMatching(/^NODE_OPTIONS=.* --max-old-space-size=\d+$/)
    expect(variablesOf(roles()[0].pid)).toContainEqual(bound)
  },
)

it.skipIf(process.platform !== 'linux')('leaves the heap to who said how large it is to be', async () => {
  const said = `${GREEDY} --max-old-space-size=100`
  const served = msvc(said, 'serve', 'registry', '--port', '0', '--data', 'said-data')
  await expect.poll(() => existsSync(join(folder, 'said-data')), { timeout: 20_000 }).toBe(true)
  expect(variablesOf(served.pid)).toContain(`NODE_OPTIONS=${said}`)
})
