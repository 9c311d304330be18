import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import { UP_ROLE_NAMES } from '../../src/roles/catalog.ts'

const CONFIG = 'free.yaml'

/** A platform under `msvc up` in processes of its own. `await using` ends it. */
export interface RunningPlatform extends AsyncDisposable {
  readonly child: ChildProcess
  url(role: string): string
  /** The process that runs a role now; undefined while none does. */
  pid(role: string): number | undefined
  /** All that it has said on stderr. */
  said(): string
  /** Ends it as Ctrl-C does; resolves when it has ended. */
  stop(): Promise<void>
  /** Ends it at once. */
  kill(): Promise<void>
}

/**
 * Command lines in a folder that is removed by its owner.
 * @param more lines of the configuration, such as `services:`. Default none
 * @param program a script for node. Default: msvc as the sources have it
 */
export function commandsIn(folder: string, more = '', program = inject('program')) {
  const environment = { PATH: process.env.PATH, NO_COLOR: '1', TMPDIR: folder }
  const common = (data: string) => ['--config', CONFIG, '--data', data]
  const ports = [...UP_ROLE_NAMES, 'outbound'].map((role) => `${role}: { port: 0 }\n`).join('')
  /** Writes the configuration anew. @param lines what stands there instead of the lines before */
  const configure = (lines: string) => writeFileSync(join(folder, CONFIG), `log: { level: WARNING }\n${ports}${lines}`)
  configure(more)

  /** Runs a command to its end; gives what it wrote to stdout. */
  async function msvc(data: string, ...args: readonly string[]): Promise<string> {
    const command = [program, ...args, ...common(data)]
    const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: folder, env: environment })
    return stdout
  }

  /** Starts a command. */
  function start(data: string, ...args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [program, ...args, ...common(data)], {
      cwd: folder,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** Starts a platform and waits until it is ready. Rejects with what it said when it ends before. */
  async function up(data: string, ...flags: readonly string[]): Promise<RunningPlatform> {
    const child = start(data, 'up', '--json', ...flags)
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const ended = once(child, 'exit')
    if (!child.stdout) throw new Error('a pipe is asked for')
    const over = once(child, 'close').then(() => undefined)
    const first = await Promise.race([once(createInterface(child.stdout), 'line'), over])
    if (!first) throw new Error(said)
    const { roles }: State = JSON.parse(String(first[0]))
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal)
      if (child.exitCode === null && child.signalCode === null) await ended
    }
    return {
      child,
      url: (name) => roles.find(({ role }) => role === name)?.url ?? '',
      pid(name) {
        const now: State = JSON.parse(readFileSync(join(folder, data, 'run.json'), 'utf8'))
        return now.roles.find(({ role }) => role === name)?.pid
      },
      said: () => said,
      stop: () => end('SIGTERM'),
      kill: () => end('SIGKILL'),
      [Symbol.asyncDispose]: () => end('SIGKILL'),
    }
  }

  return { msvc, start, up, configure }
}

interface State {
  readonly roles: readonly { readonly role: string; readonly url: string; readonly pid?: number }[]
}
