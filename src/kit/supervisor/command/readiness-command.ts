import { spawn } from 'node:child_process'
import { aborted, pause } from '../../pause.ts'
import type { Guard } from '../guard.ts'
import { reasonOf } from '../reason.ts'
import { signalTree } from './process-tree.ts'
import { shellCommand } from './shell-line.ts'

/** What a command that tells whether a service is ready runs with. */
export interface ReadinessCommandOptions {
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  readonly guard: Guard
  /** How long it may take, milliseconds. */
  readonly longestMs: number
  /** Ends it when nobody wants to know any more. */
  readonly signal: AbortSignal
}

/** More than this of what it says isn't kept, characters. */
const MOST_WORDS = 4_096
/** For what it said before it ended, where somebody else could still say more, milliseconds. */
const LAST_WORDS_MS = 200

/**
 * Runs a line for the shell that ends with exit code 0 when a service is ready, and ends all that it started: also what takes too long, or was left in the
 * background. Gives why it isn't, in a few words; undefined when it is. Never rejects.
 */
export async function readyByCommand(
  command: string,
  { dir, env, guard, longestMs, signal }: ReadinessCommandOptions,
): Promise<string | undefined> {
  if (signal.aborted) return 'nobody wants to know any more'
  const over = new AbortController()
  let said = ''
  const take = (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(0, MOST_WORDS)
  }
  const { program, args, isVerbatim } = shellCommand(command)
  const child = spawn(program, args, {
    windowsVerbatimArguments: isVerbatim,
    cwd: dir,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    windowsHide: true,
  })
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', take).on('error', () => {})
  const { pid = 0 } = child
  if (pid > 0) guard.watch(-pid)
  const ended = new Promise<string | undefined>((resolve) => {
    child.once('error', (cause) => resolve(`can't be started: ${reasonOf(cause)}`))
    const end = (code: number | null, by: NodeJS.Signals | null) => resolve(code === 0 ? undefined : endOf(code, by))
    child.once('close', end)
    // what it left in the background would put that off
    child.once('exit', (code, by) => void pause(LAST_WORDS_MS, over.signal).then(() => end(code, by)))
  })
  const late = pause(longestMs, over.signal).then(() => `takes longer than ${longestMs / 1_000} s`)
  const how = await Promise.race([ended, late, aborted(signal).then(() => 'was called off')])
  over.abort()
  if (pid > 0) {
    signalTree(pid, 'SIGKILL')
    guard.release(-pid)
  }
  child.stdout?.destroy()
  child.stderr?.destroy()
  const [words = ''] = said.trim().split('\n')
  return how && `${command} ${how}${words && `: ${words.slice(0, 200)}`}`
}

const endOf = (code: number | null, by: NodeJS.Signals | null) => `ended with ${by ?? `exit code ${code}`}`
