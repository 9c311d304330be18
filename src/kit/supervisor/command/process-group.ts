import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../../errors.ts'
import type { Guard } from '../guard.ts'
import { reasonOf } from '../reason.ts'
import { rememberDescendants } from './descendants.ts'
import { hasLiving } from './group-members.ts'
import { memoryKills } from './memory-kills.ts'
import { signalProcess, signalTree } from './process-tree.ts'
import { type CommandLine, commandOf, type Spawned } from './shell-line.ts'
import { strays } from './strays.ts'

/** What a command runs with. */
export interface GroupOptions {
  readonly command: CommandLine
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  /** A variable of `env` that is this command's alone, by whose value what has left the group is found. */
  readonly mark: string
  readonly stop: { readonly signal: NodeJS.Signals; readonly graceMs: number }
  readonly guard: Guard
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void
  /** Told when it has written all that it will. Default: nobody. */
  readonly onOutputEnd?: () => void
}

/** A running command and all that it starts. */
export interface ProcessGroup {
  /** Of the command itself. */
  readonly pid: number
  /** Resolves as soon as the command itself has ended, with how. */
  readonly ended: Promise<string>
  /** Resolves once nothing of the group is left, with how the command itself ended. */
  readonly exited: Promise<string>
  /** Asks all of it to stop, and kills it when it has not in time. */
  stop(): void
  /** Kills all of it. */
  kill(): void
}

/** How often a group is looked at that is to end, milliseconds. */
const LOOK_MS = 20
/** After a kill, until what is left is taken for dead: a zombie that nobody fetches, as in a container, milliseconds. */
const DEAD_MS = 500
/** For what was written before the end, where somebody who got away still could write more, milliseconds. */
const LAST_WORDS_MS = 500

/**
 * Starts a command in a process group (and session) of its own, so that all that it starts ends with it and Ctrl-C reaches the platform alone. When
 * the command itself has ended, what it leaves is asked to stop like itself. Rejects with AppError `START_FAILED` when it can't be started.
 */
export async function startGroup(options: GroupOptions): Promise<ProcessGroup> {
  const { command, dir, env, mark, guard, stop, onOutput, onOutputEnd = () => {} } = options
  const spawned = commandOf(command, { dir, path: env.PATH })
  const { program } = spawned
  const killsBefore = memoryKills()
  const child = begin(spawned, { dir, env })
  const exit = Promise.withResolvers<string>()
  let isKilled = false
  let leaving: Promise<void> | undefined
  child.once('exit', (code, signal) => {
    const isShortOfMemory = signal === 'SIGKILL' && !isKilled && memoryKills() > killsBefore
    exit.resolve(howItEnded(code, signal, isShortOfMemory))
  })
  const { pid = 0 } = child
  if (pid > 0) guard.watch(-pid)
  await started(child, program)
  const descendants = rememberDescendants(pid, guard)
  const read = Promise.all([child.stdout, child.stderr].map((stream) => stream && once(stream, 'close'))).then(
    onOutputEnd,
  )
  child.stdout?.on('data', (chunk: Buffer) => onOutput('stdout', chunk)).on('error', () => {})
  child.stderr?.on('data', (chunk: Buffer) => onOutput('stderr', chunk)).on('error', () => {})

  const signal = (name: NodeJS.Signals | 0) => signalTree(pid, name)

  // process 1 of a container can't fetch what a service has left to it
  const isThere = () => signal(0) && (process.pid !== 1 || hasLiving(pid))

  /** Resolves when nothing of the group is left, or the time is over. */
  async function gone(ms: number): Promise<void> {
    for (let left = ms; left > 0 && isThere(); left -= LOOK_MS) await delay(LOOK_MS)
  }

  /** Asks what there is to stop, and sees to it. */
  async function leave(): Promise<void> {
    // whoever has left the group is nobody's child any more when his parent has ended
    await descendants.still()
    if (signal(stop.signal)) await gone(stop.graceMs)
    if (signal(0)) kill()
    await gone(DEAD_MS)
    const away = [...(await descendants.still()), ...(await strays(`${mark}=${env[mark] ?? ''}`))]
    for (const stray of away) signalProcess(stray, 'SIGKILL')
    descendants.end()
    guard.release(-pid)
    // its last words may still be on their way
    await Promise.race([read, delay(LAST_WORDS_MS)])
    child.stdout?.destroy()
    child.stderr?.destroy()
  }

  function kill() {
    isKilled = true
    signal('SIGKILL')
  }

  const ask = () => (leaving ??= leave())
  const exited = exit.promise.then(async (how) => {
    await ask()
    return how
  })
  return { pid, ended: exit.promise, exited, stop: () => void ask(), kill }
}

function begin({ program, args, isVerbatim }: Spawned, { dir, env }: Pick<GroupOptions, 'dir' | 'env'>) {
  try {
    return spawn(program, args, {
      cwd: dir,
      windowsVerbatimArguments: isVerbatim,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
    })
  } catch (cause) {
    throw notStarted(program, cause)
  }
}

function started(child: ChildProcess, program: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => reject(notStarted(program, cause)))
  })
}

/** What the system's codes mean to who wrote the command. */
const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such program',
  EACCES: 'it may not be executed',
  E2BIG: 'its arguments and environment are too long',
}

function notStarted(program: string, cause: unknown): AppError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const words = `${program} can't be started: `
  // Node's message quotes the value, which may be a secret: it goes nowhere, as a cause neither
  if (code === 'ERR_INVALID_ARG_VALUE')
    return new AppError('START_FAILED', `${words}its command, folder or environment holds a NUL byte`)
  return new AppError('START_FAILED', words + (WHY[code] ?? reasonOf(cause)), { cause })
}

/** What a shell says by these codes (POSIX.1-2024, XCU 2.8.2). */
const SHELL_CODES: Readonly<Record<number, string>> = { 126: 'not executable', 127: 'command not found' }

function howItEnded(code: number | null, signal: NodeJS.Signals | null, isShortOfMemory: boolean): string {
  if (signal !== null) return isShortOfMemory ? `${signal}, out of memory` : signal
  const meaning = SHELL_CODES[code ?? 0]
  return meaning === undefined ? `exit code ${code}` : `exit code ${code}, ${meaning}`
}
