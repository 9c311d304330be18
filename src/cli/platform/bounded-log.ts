import { constants, copyFileSync, fstatSync, ftruncateSync, rmSync, statSync } from 'node:fs'

/** What a platform in the background says, in its data folder; what was said before that has `.1` behind its name. */
export const LOG = 'up.log'

/** From this size on it begins anew, bytes. */
const MOST_BYTES = 10 * 1_048_576
/** How often it is looked at, milliseconds. */
const LOOK_MS = 250
/** Behind one that failed. */
const LOOKS_LEFT_OUT = 240
const STDERR = 2

export interface BoundedLogOptions {
  /** From this size on it begins anew, bytes. Default 10 MiB */
  readonly mostBytes?: number
  /** How often it is looked at, milliseconds. Default 250 */
  readonly lookMs?: number
  /** By which this process writes to it. Default stderr */
  readonly descriptor?: number
}

/**
 * Keeps the file small that this process writes its output to, and does nothing for one that it doesn't write to. What is in a full one goes to the file with
 * `.1` behind its name, in place of what was there. The descriptor stays, so that what the engine or the system says of a crash arrives too; it must have been opened
 * for appending.
 * @returns ends it
 */
export function boundLog(path: string, options: BoundedLogOptions = {}): () => void {
  const { mostBytes = MOST_BYTES, lookMs = LOOK_MS, descriptor = STDERR } = options
  if (!isOpenedBy(descriptor, path)) return () => {}
  let pause = 0
  const timer = setInterval(() => {
    if (pause-- > 0) return
    try {
      if (fstatSync(descriptor).size >= mostBytes) beginAnew(path, descriptor)
    } catch {
      // a disk that fails, or a network's: no reason to end a platform, and nowhere to say so
      pause = LOOKS_LEFT_OUT
    }
  }, lookMs).unref()
  return () => clearInterval(timer)
}

/** Nothing is written meanwhile: the descriptor is this process's alone. */
function beginAnew(path: string, descriptor: number): void {
  const before = `${path}.1`
  try {
    rmSync(before, { force: true })
    // who took it away or put another in its place has what it said, or doesn't want it
    if (isOpenedBy(descriptor, path)) copyFileSync(path, before, constants.COPYFILE_FICLONE)
  } catch {
    // a full disk most likely: the room is worth more than what was said
    removeIfPossible(before)
  }
  ftruncateSync(descriptor)
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // half of a copy is no harm
  }
}

function isOpenedBy(descriptor: number, path: string): boolean {
  const file = statSync(path, { throwIfNoEntry: false })
  const { dev, ino } = fstatSync(descriptor)
  return file?.dev === dev && file.ino === ino
}
