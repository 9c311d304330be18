import { randomBytes } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../../drivers/clock.ts'
import { makePrivateFolder } from '../../drivers/private-folder.ts'
import { readyRestored } from '../../drivers/restored-copy.ts'
import { freeBytes } from '../../drivers/write-probe.ts'
import { AppError } from '../errors.ts'
import { readArchive } from './archive.ts'
import { syncFolder } from './archive-file.ts'
import type { Manifest, StoredFile } from './manifest.ts'
import { replaceFolder, wantReplaceable } from './replace-folder.ts'
import { LEAVE_BYTES, megabytes, roomFault } from './room.ts'

/** What is restored, and where to. */
export interface RestoreOptions {
  /** The archive. */
  readonly file: string
  /** The data folder. */
  readonly data: string
  /** Of this program. */
  readonly version: string
  /** Whether a folder that holds something is set aside. Default false: then it is refused. */
  readonly force?: boolean
  /** Whether what was given out since the backup may be given out again: for a platform that hasn't run since. Default false. */
  readonly keepIds?: boolean
  readonly clock: Pick<Clock, 'now'>
  readonly signal: AbortSignal
  readonly onProgress: (what: string) => void
}

/** What was done. */
export interface Restored {
  readonly manifest: Manifest
  /** Where the folder is that was there before. */
  readonly aside?: string
  /** How many numbers were left out in every table that counts. */
  readonly skippedIds: number
}

/** More ids than a service of ours gives out in a second: each costs a share of an fsync. */
const IDS_PER_SECOND = 1_000
/** For a clock that was set back a little. */
const LEAST_SKIPPED = 1_000

/**
 * Puts a backup back as a data folder: written and checked beside it first, then put in its place as a whole, so that the folder is the old one or the
 * new one and never something between. Ids and tokens that were given out after the backup was taken are never given out again.
 * @throws AppError `CONFLICT` while something runs on the folder, and for one that holds something without `force`; `INVALID_BODY` for an archive that
 * isn't whole; `NOT_FOUND`; `DISK_FULL`; `CONFIG_INVALID` for a folder that can't be replaced; the signal's reason
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { force = false, keepIds = false, clock, signal } = options
  // the folder itself, where a link leads to it
  const data = existsSync(options.data) ? realpathSync(options.data) : options.data
  wantReplaceable(data, force)
  makePrivateFolder(dirname(data))
  const fresh = `${data}.restoring-${randomBytes(4).toString('hex')}`
  makePrivateFolder(fresh)
  try {
    const manifest = await unpack(options, fresh)
    const skippedIds = keepIds ? 0 : idsSince(manifest, clock.now())
    options.onProgress('putting it in its place')
    for (const { path } of manifest.files) {
      signal.throwIfAborted()
      if (skippedIds > 0 && path.endsWith('.db')) readyRestored(join(fresh, path), skippedIds)
    }
    for (const folder of [join(fresh, 'keys'), fresh]) if (existsSync(folder)) await syncFolder(folder)
    const aside = `${data}.before-${new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
    const isAside = await replaceFolder(data, fresh, { aside, force })
    return { manifest, skippedIds, ...(isAside && { aside }) }
  } catch (fault) {
    throw roomFault(fault, dirname(data))
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

async function unpack(options: RestoreOptions, fresh: string): Promise<Manifest> {
  const { file, version, signal, onProgress } = options
  return readArchive(file, {
    version,
    signal,
    onManifest: ({ files }) => wantRoom(dirname(fresh), files),
    async onFile({ path }, content) {
      onProgress(`restoring ${path}`)
      const target = join(fresh, path)
      makePrivateFolder(dirname(target))
      await writeNew(target, content)
    },
  })
}

/** Throws AppError `DISK_FULL` before anything is written, for an archive that says it holds more than there is room for, too. */
function wantRoom(folder: string, files: readonly StoredFile[]): void {
  const wanted = files.reduce((sum, { bytes }) => sum + bytes, LEAVE_BYTES)
  const free = freeBytes(folder)
  if (free >= wanted) return
  const message = `the disk of ${folder} has ${megabytes(free)} free, and the backup wants ${megabytes(wanted)}`
  throw new AppError('DISK_FULL', message)
}

async function writeNew(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of content) await file.writeFile(chunk)
    await file.sync()
  } finally {
    await file.close()
  }
}

function idsSince({ created_at: createdAt }: Manifest, now: number): number {
  const seconds = Math.max(0, Math.ceil((now - Date.parse(createdAt)) / 1_000))
  return LEAST_SKIPPED + seconds * IDS_PER_SECOND
}
