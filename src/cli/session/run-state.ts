import { rmSync } from 'node:fs'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { isLocked, takeLock } from '../../drivers/file-lock.ts'
import { replaceFile } from '../../drivers/replaced-file.ts'
import { Places } from '../../kit/config/places.ts'
import type { Settings } from '../../kit/config/schema.ts'
import { openDataFolder, wantWritable } from '../../kit/data-folder.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import { shownPlaces } from './moved.ts'
import { VERSION } from './version.ts'

/** What a process runs on a data folder, as its file there tells other commands. */
export const RunState = z.object({
  /** The process id of `msvc up`, or of `msvc serve`. */
  pid: z.int(),
  /** The version of msvc. */
  version: z.string().optional(),
  /** When it began (RFC 3339): by it one that follows in the same process is told from the one before. */
  began: z.string().optional(),
  environment: z.string(),
  /** What tokens its roles want, and where their keys come from, if not from the data folder. */
  auth: z.object({
    mode: z.enum(['local', 'token']),
    issuer: z.string(),
    key_file: z.string().optional(),
    jwks: z.string().optional(),
    token_file: z.string().optional(),
  }),
  /** The file that `msvc up` reads, or would if it were there: an absolute path. */
  configuration: z.string().optional(),
  /** Where it began to keep what it keeps, without passwords. */
  places: Places.omit({ data: true }).optional(),
  /** All that was ready once; `silent`: it gives no sign of life, `down`: it ended and is started again. */
  roles: z.array(
    z.object({
      unit: z.string(),
      role: z.string(),
      service: z.string(),
      url: z.string(),
      state: z.enum(['ready', 'silent', 'down']).default('ready'),
      /** Absent while it is down. */
      pid: z.int().optional(),
    }),
  ),
  /** What has no address, workers that listen nowhere and what has ended for good, and how it is now; `down`: it ended and is started again. */
  portless: z
    .array(
      z.object({
        unit: z.string(),
        service: z.string().optional(),
        state: z.enum(['ready', 'silent', 'down', 'finished', 'failed']),
        pid: z.int().optional(),
      }),
    )
    .default([]),
  /** Units that are planned and were not ready yet. */
  starting: z.array(z.string()).default([]),
  /** All units that are planned: those above, and what somebody has stopped. */
  units: z.array(z.string()).default([]),
})
export type RunState = z.infer<typeof RunState>

/** The state of a process with these settings. */
export function stateOf(
  pid: number,
  settings: Settings,
  {
    roles,
    portless,
    starting,
    units,
    configuration,
    began,
  }: Pick<RunState, 'roles' | 'portless' | 'starting' | 'units' | 'configuration' | 'began'>,
): RunState {
  const { hosts: _, origins: __, ...auth } = settings.auth
  const { store, bus, cache } = shownPlaces(settings)
  return {
    pid,
    version: VERSION,
    ...(began !== undefined && { began }),
    environment: settings.environment,
    auth,
    ...(configuration !== undefined && { configuration }),
    places: { store, bus, cache },
    roles,
    portless,
    starting,
    units,
  }
}

/** More than any state that was written here, bytes. */
const MOST_BYTES = 1_048_576

/** How soon what could not be written is tried again, in milliseconds. */
const AGAIN_MS = 1_000

/** The file of `msvc up`, of which there is one on a data folder. */
const UP = 'run.json'
const SERVED = /^run-[^/]+\.json$/

/** The file of one role that `msvc serve` runs: there can be one a port. */
export function servedFile(role: string, port: number): string {
  return `run-${role}-${port}.json`
}

/** The lock that the process holds of which a file tells: without it the file is left over, or came with a copy of the folder. */
function lockOf(data: string, name: string): string {
  return join(data, name.replace(/json$/, 'lock'))
}

/** What `msvc up` runs on a data folder; undefined when it doesn't. */
export async function readRunState(data: string): Promise<RunState | undefined> {
  return readState(data, UP)
}

/**
 * All that runs on a data folder: `msvc up`'s state first, then a state for each role that is served alone. Throws AppError `CONFIG_INVALID`
 * for a folder that this user may not look into.
 */
export async function readRunStates(data: string): Promise<readonly RunState[]> {
  const names = await readdir(data).catch((fault) => (isMissing(fault) ? [] : Promise.reject(unreadable(data, fault))))
  const files = [UP, ...names.filter((name) => SERVED.test(name)).sort()]
  const states = await Promise.all(files.map((name) => readState(data, name)))
  return states.filter((state) => state !== undefined)
}

async function readState(data: string, name: string): Promise<RunState | undefined> {
  let text: string
  try {
    const path = join(data, name)
    const file = await stat(path)
    // another kind of file may never end
    if (!file.isFile()) throw new Error(`${path} is no file`)
    if (file.size > MOST_BYTES) return undefined
    text = await readFile(path, 'utf8')
  } catch (fault) {
    if (isMissing(fault)) return undefined
    throw unreadable(data, fault)
  }
  try {
    const state = RunState.parse(JSON.parse(text))
    return isLocked(lockOf(data, name)) ? state : undefined
  } catch {
    return undefined
  }
}

function isMissing(fault: unknown): boolean {
  return fault instanceof Error && 'code' in fault && fault.code === 'ENOENT'
}

function unreadable(data: string, cause: unknown): AppError {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOTDIR') {
    return new AppError('CONFIG_INVALID', `${data} is no folder; name another with --data`, { cause })
  }
  const message = `The data folder ${data} can't be read; run msvc as the user that runs the platform, or name another folder with --data`
  return new AppError('CONFIG_INVALID', message, { cause })
}

/**
 * That there can't be another platform on a data folder.
 * @param running what is known of the one that is there
 * @param more what stands behind that. Default: what to do
 */
export function alreadyRuns(
  data: string,
  running: RunState | undefined,
  more = '; stop it, or choose another folder with --data',
  cause?: unknown,
): AppError {
  const who = running ? ` (process ${running.pid})` : ''
  return new AppError('USAGE', `a platform runs on ${data} already${who}${more}`, { cause })
}

/** The file in which a process tells what it runs. */
export interface StateFile {
  /** Tells other commands what runs now. Saves that come while one is being written become one. */
  save(state: RunState): void
  /** Resolves when what was saved is on disk, or could not be written: then it is tried again by itself. */
  written(): Promise<void>
  /** Takes the file away and lets the next one have it; nothing is saved afterwards. */
  remove(): Promise<void>
}

/**
 * Opens the file in a data folder, for this process alone as long as it lives. Readers see an old state or a new one, never half of one.
 * Throws AppError `USAGE` when another process has it: two platforms on one folder would send each other's events twice.
 * @param onFault told once when it can't be written, as on a full disk
 * @param name default: that of `msvc up`
 */
export async function createStateFile(data: string, onFault: (words: string) => void, name = UP): Promise<StateFile> {
  openDataFolder(data)
  wantWritable(data)
  const path = join(data, name)
  const lock = takeLock(lockOf(data, name))
  if (!lock) {
    throw alreadyRuns(data, await readState(data, name))
  }
  // what a process left that was killed
  rmSync(path, { force: true })
  let latest: RunState | undefined
  let isSaved = true
  let isTold = false
  let removed = false
  let again: NodeJS.Timeout | undefined
  let attempt: Promise<void> = Promise.resolve()

  async function write() {
    if (isSaved || removed || !latest) return
    isSaved = true
    try {
      openDataFolder(data)
      await replaceFile(path, `${JSON.stringify(latest, undefined, 2)}\n`)
      isTold = false
    } catch (cause) {
      isSaved = false
      if (!isTold) onFault(`${path}, by which commands find what runs here, can't be written: ${messageOf(cause)}`)
      isTold = true
      again ??= setTimeout(() => {
        again = undefined
        attempt = attempt.then(write)
      }, AGAIN_MS).unref()
    }
  }

  return {
    save(state) {
      latest = state
      isSaved = false
      attempt = attempt.then(write)
    },
    written: () => attempt,
    async remove() {
      removed = true
      clearTimeout(again)
      await attempt
      await rm(path, { force: true })
      lock.release()
    },
  }
}
