import { spawn } from 'node:child_process'
import { AppError } from '../../kit/errors.ts'

/** More than a program has to say that is asked for its version or checks a configuration, characters. */
const MOST = 100_000

/** How a program is run that is asked something. */
export interface AskedOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** How long it may take, milliseconds; then it is ended with all that it has started. */
  readonly patienceMs: number
}

/** What it has answered. */
export interface ProgramAnswer {
  /** Its exit code; null where a signal has ended it. */
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs a program to its end. Rejects with the system's own error where it can't be started, and AppError `REQUEST_TIMEOUT` where it takes too long. */
export function askProgram(
  [program, ...args]: readonly [string, ...string[]],
  { cwd, env, patienceMs }: AskedOptions,
): Promise<ProgramAnswer> {
  const said = { out: '', err: '' }
  return new Promise((resolve, reject) => {
    // a group of its own, which ends as one
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const take = (stream: keyof typeof said) => (text: string) => {
      said[stream] = (said[stream] + text).slice(0, MOST)
    }
    child.stdout.setEncoding('utf8').on('data', take('out'))
    child.stderr.setEncoding('utf8').on('data', take('err'))
    const late = setTimeout(() => {
      endGroup(child.pid)
      reject(new AppError('REQUEST_TIMEOUT', `it gives no answer within ${patienceMs / 1_000} s`))
    }, patienceMs)
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...said }))
    child.once('close', () => clearTimeout(late)).once('error', () => clearTimeout(late))
  })
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // it has just ended
  }
}
