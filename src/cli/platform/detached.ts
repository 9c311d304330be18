import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, renameSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type * as z from 'zod'
import { systemClock } from '../../drivers/clock.ts'
import { platformAuthority } from '../../kit/config/platform-authority.ts'
import { openDataFolder } from '../../kit/data-folder.ts'
import { AppError } from '../../kit/errors.ts'
import { pause } from '../../kit/pause.ts'
import type { Units } from '../../kit/supervisor/control-protocol.ts'
import { createKeptPorts } from '../../kit/supervisor/free-port.ts'
import { createPlanner } from '../plan/planner.ts'
import { unitLines } from '../render/unit-lines.ts'
import { type RunState, readRunState } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { createProgress, type Progress } from '../terminal/progress.ts'
import { askUnits } from './ask-units.ts'
import { LOG } from './bounded-log.ts'
import { readWish, type UpFlags } from './platform.ts'
import { LOOKS } from './starting-units.ts'
import { tellUnready } from './unready.ts'
import { upAgain } from './up-again.ts'
import { prepareWelcome } from './welcome.ts'

/** How often it is asked how far it is, milliseconds. */
const LOOK_MS = 150

/** A platform that has started, as it tells of itself. */
interface Told {
  readonly state: RunState
  readonly units: z.infer<typeof Units>['units']
}

/**
 * `msvc up --detach`: starts the platform in a session of its own, its output in a file, waits until it is ready and says where everything is. Ctrl-C
 * meanwhile stops it. Services that failed are told of, and it ends with 1. Where one runs on the data folder, that one follows its changed file instead. Throws AppError with the platform's own words when it doesn't start.
 */
export async function startDetached(session: Session, flags: UpFlags): Promise<void> {
  const { io, options } = session
  const planned = await createPlanner(session, createKeptPorts(io.pid)).plan(readWish(flags))
  const { settings } = planned.configured
  const { data } = settings
  const running = await readRunState(data)
  if (running) return upAgain(session, flags, data, running)
  openDataFolder(data)
  const log = join(data, LOG)
  if (existsSync(log)) renameSync(log, `${log}.1`)
  const child = launch(session, flags, log)
  const ended = new AbortController()
  child.once('exit', () => ended.abort())
  child.once('error', () => ended.abort())
  const progress = createProgress(options.quiet ? { ...io.err, isTTY: false } : io.err)
  try {
    const told = await started(data, progress, AbortSignal.any([io.signal, ended.signal]))
    progress.end()
    if (ended.signal.aborted) throw await failure(child, log)
    if (!told) return await abandon(child, ended.signal)
    const authority = platformAuthority(settings, systemClock)
    const say = await prepareWelcome(session, planned, authority)
    say(told.state, told.units)
    tellUnready(session, told.units)
    child.unref()
  } finally {
    progress.end()
  }
}

function launch({ io, options }: Session, flags: UpFlags, log: string): ChildProcess {
  const [program, ...before] = io.self
  const args = [
    'up',
    ...(flags.scale ?? []).flatMap((wish) => ['--scale', wish]),
    ...(flags.only === undefined ? [] : ['--only', flags.only]),
    ...(flags.portOffset === undefined ? [] : ['--port-offset', flags.portOffset]),
    ...(flags.inProcess === undefined ? [] : [flags.inProcess ? '--in-process' : '--no-in-process']),
    ...(options.config === undefined ? [] : ['--config', options.config]),
    ...(options.data === undefined ? [] : ['--data', options.data]),
    ...(options.quiet ? ['--quiet'] : []),
  ]
  const file = openSync(log, 'ax', 0o600)
  try {
    return spawn(program, [...before, ...args], {
      cwd: io.folder,
      env: io.environment,
      detached: true,
      stdio: ['ignore', file, file],
      windowsHide: true,
    })
  } finally {
    closeSync(file)
  }
}

/** What a platform tells of itself once it has started; undefined when the signal fires before. */
async function started(data: string, progress: Progress, signal: AbortSignal): Promise<Told | undefined> {
  progress.show('starting')
  while (!signal.aborted) {
    const told = await askUnits(data, signal)
    if (typeof told === 'object') {
      const lines = told.units.map(({ unit, state, words = state }) => ({ name: unit, is: LOOKS[state], words }))
      progress.showLines((view) => unitLines(lines, view))
      const state = told.started ? await readRunState(data) : undefined
      if (state) return { state, units: told.units }
    }
    await pause(LOOK_MS, signal)
  }
  return undefined
}

/** Nobody waits for it any more. */
async function abandon(child: ChildProcess, ended: AbortSignal): Promise<void> {
  child.kill('SIGTERM')
  while (!ended.aborted) await pause(LOOK_MS, ended)
}

/** Why it didn't start, in its own words. */
async function failure({ exitCode, signalCode }: ChildProcess, log: string): Promise<AppError> {
  const said = await readFile(log, 'utf8').catch(() => '')
  const errors = said.split('\n').flatMap((line) => /^(?:error|fault): (.+)$/.exec(line)?.[1] ?? [])
  const how = signalCode ?? `exit code ${exitCode}`
  const message = errors.length > 0 ? errors.join('\n') : `the platform ended (${how}); what it said is in ${log}`
  return new AppError(exitCode === 2 ? 'CONFIG_INVALID' : 'START_FAILED', message)
}
