import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '../../..')
/** The program from source: these tests don't need the executable. */
export const PROGRAM = [process.execPath, join(root, 'src/main.ts')] as const
/** A port of this machine where nobody listens: the role lives without a registry. */
const NOWHERE = 'http://127.0.0.1:9'

/** One role in a process of its own, on a free port, in a data folder of its own. `await using` ends it. */
export interface RoleProcess extends AsyncDisposable {
  readonly pid: number
  readonly url: string
  readonly port: number
}

/** Starts `msvc serve <role>` with what differs from the default configuration; resolves when it is ready. */
export async function serveRole(role: string, config: object): Promise<RoleProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-bounds-'))
  const file = join(folder, 'msvc.yaml')
  writeFileSync(file, JSON.stringify({ log: { level: 'ERROR' }, ...config }))
  const [node, ...main] = PROGRAM
  const args = [...main, 'serve', role, '--port', '0', '--json', '--data', join(folder, 'data'), '--config', file]
  const env = { PATH: process.env.PATH, REGISTRY_URL: NOWHERE, NO_COLOR: '1' }
  const child = spawn(node, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000)
  })
  const ended = once(child, 'close')
  const end = async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  const first = new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve))
  const line = await Promise.race([first, ended])
  if (typeof line !== 'string') {
    await end()
    throw new Error(`${role} did not start: ${said}`)
  }
  const { url } = JSON.parse(line)
  return { pid: child.pid ?? 0, url, port: Number(new URL(url).port), [Symbol.asyncDispose]: end }
}
