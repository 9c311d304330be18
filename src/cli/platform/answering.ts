import { execFile } from 'node:child_process'
import type * as z from 'zod'
import { AppError } from '../../kit/errors.ts'
import { pause } from '../../kit/pause.ts'
import type { ControlClient } from '../../kit/supervisor/control-client.ts'
import { type ControlRequest, Look } from '../../kit/supervisor/control-protocol.ts'
import { statFields } from '../../kit/supervisor/process-stat.ts'
import { readRunState } from '../session/run-state.ts'

/** How long a platform may take to answer where nothing is to be done for it, milliseconds: one that is busy takes a part of it. */
const SILENT_MS = 4_000
/** How often who waits for something asks whether the platform still answers, milliseconds. */
const LOOK_MS = 1_000

/** Whom to ask, and for how long. */
export interface AskedPlatform {
  readonly control: Pick<ControlClient, 'ask'>
  /** Its data folder. */
  readonly data: string
  readonly signal: AbortSignal
  /** How long it may take to answer where nothing is to be done for it, milliseconds. Default 4 000 */
  readonly silentMs?: number
}

/** Where a platform lives. Rejects with AppError `UNAVAILABLE` when it gives no answer in time, and as `ask` does. */
export async function lookAt({ control, data, signal, silentMs = SILENT_MS }: AskedPlatform): Promise<Look> {
  const late = AbortSignal.timeout(silentMs)
  try {
    return await control.ask({ do: 'look' }, Look, AbortSignal.any([signal, late]))
  } catch (fault) {
    if (late.aborted && !signal.aborted) throw new AppError('UNAVAILABLE', await silence(data), { cause: fault })
    throw fault
  }
}

/**
 * Asks a platform to do something that may take its time, and waits for it for as long as the platform answers. One that doesn't answer isn't asked: it would do it
 * when nobody waits for it any more. Rejects as `lookAt` does.
 */
export async function askWhileItAnswers<S extends z.ZodType>(
  platform: AskedPlatform,
  request: ControlRequest,
  shape: S,
): Promise<z.infer<S>> {
  await lookAt(platform)
  const over = new AbortController()
  const waiting = { ...platform, signal: AbortSignal.any([platform.signal, over.signal]) }
  try {
    return await Promise.race([platform.control.ask(request, shape, waiting.signal), untilSilent(waiting)])
  } finally {
    over.abort()
  }
}

/** Rejects when the platform doesn't answer any more; else never ends. */
async function untilSilent(platform: AskedPlatform): Promise<never> {
  const { signal } = platform
  while (!signal.aborted) {
    await pause(LOOK_MS, signal)
    if (!signal.aborted) await lookAt(platform)
  }
  return new Promise(() => {})
}

/** What is to be said of a platform that gives no answer, and what to do. */
export async function silence(data: string): Promise<string> {
  const pid = (await readRunState(data).catch(() => undefined))?.pid
  if (pid === undefined) return `the platform on ${data} gives no answer; try again`
  return (await isHalted(pid))
    ? `the platform on ${data} stands still: process ${pid} was stopped by a signal or a debugger (state T); kill -CONT ${pid} lets it go on, kill -KILL ${pid} ends it and all that it runs`
    : `the platform on ${data} (process ${pid}) gives no answer; try again, or kill -KILL ${pid} ends it and all that it runs`
}

/** Whether a process stands still by a signal or in a debugger; false where that can't be known. */
export async function isHalted(pid: number, platform: NodeJS.Platform = process.platform): Promise<boolean> {
  if (platform === 'win32') return false
  const state = platform === 'linux' ? (await statFields(pid))?.[0] : await stateByPs(pid)
  return /^t/i.test(state ?? '')
}

/** POSIX ps has no portable word for the state; macOS and the BSDs have this one. */
function stateByPs(pid: number): Promise<string> {
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'stat=', '-p', String(pid)], { timeout: 2_000 }, (_fault, stdout) => resolve(stdout.trim()))
  })
}
