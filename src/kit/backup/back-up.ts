import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../drivers/clock.ts'
import { type Instant, takeInstant } from '../../drivers/sqlite-instant.ts'
import { wantWhole } from '../../drivers/sqlite-soundness.ts'
import { freeBytes } from '../../drivers/write-probe.ts'
import { readPrivateFile } from '../auth/private-files.ts'
import { AppError } from '../errors.ts'
import { writeArchive } from './archive.ts'
import { dataFiles } from './data-files.ts'
import { FORMAT, type Manifest, type StoredFile } from './manifest.ts'
import { LEAVE_BYTES, megabytes, roomFault } from './room.ts'
import { makeWorkFolder } from './work-folder.ts'

/** What is backed up, and where to. */
export interface BackUpOptions {
  /** The data folder. */
  readonly data: string
  /** An existing folder in which copies lie meanwhile, in one of their own (0700) that is gone in the end. */
  readonly work: string
  /** Of this program. */
  readonly version: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told what is under way, for people. */
  readonly onProgress: (what: string) => void
  /** Takes the archive's bytes. @param work the folder of its own, for what is written there first */
  send(chunks: AsyncIterable<Uint8Array>, work: string): Promise<void>
}

/** Copies lie beside the archive, which is at most half as large unless what is kept is compressed already. */
const ROOM = 1.5

/**
 * Backs a data folder up, whether a platform runs on it or not: all its databases as of one instant, and the keys. Whatever writes waits for some
 * milliseconds, however much there is (sqlite-instant.ts). Needs room for a copy in the work folder.
 * @returns what the archive says of itself, once `send` has taken all of it
 * @throws AppError `NOT_FOUND` for a folder with nothing to keep, `DISK_FULL`; DriverError `unavailable` when a lock can't be had, `damaged`; what
 * node:fs, node:sqlite and `send` throw; the signal's reason
 */
export async function backUp(options: BackUpOptions): Promise<Manifest> {
  const { version, signal, onProgress } = options
  const folder = await makeWorkFolder(options.work, '.msvc-backup-')
  const work = folder.path
  try {
    // a move that begins after this is none of what is copied
    const notes = await copyTexts(dataFiles(options.data).notes, options, work)
    const { createdAt, heldMs, databases } = await copyDatabases(options, work)
    const copies = await checkCopies(databases, work, options)
    // only once the instant is taken, so that there is a key to all that is sealed in it
    const keys = await copyTexts(dataFiles(options.data).keys, options, work)
    const files = [...copies, ...keys, ...notes]
    if (files.length === 0) {
      throw new AppError('NOT_FOUND', `${options.data} holds nothing to back up: no database and no key`)
    }
    const manifest = { format: FORMAT, msvc: version, created_at: createdAt, held_ms: heldMs, files } as const
    await writeArchive(
      manifest,
      (file) => reading(join(work, file.path), file, onProgress),
      (chunks) => options.send(chunks, work),
      signal,
    )
    return manifest
  } catch (fault) {
    signal.throwIfAborted()
    throw roomFault(fault, options.work)
  } finally {
    await folder.remove()
  }
}

/** What was copied as of one instant. */
interface Copied {
  readonly databases: readonly string[]
  readonly createdAt: string
  readonly heldMs: number
}

async function copyDatabases(options: BackUpOptions, work: string): Promise<Copied> {
  const { data, clock, signal, onProgress } = options
  const { databases, instant } = await instantOfAll(options)
  try {
    const createdAt = new Date(clock.now()).toISOString()
    const paths = databases.map((name) => join(data, name))
    wantRoom(options.work, paths, instant)
    for (const name of databases) {
      onProgress(`copying ${name}`)
      const onCopied = (share: number) => onProgress(`copying ${name}: ${Math.round(share * 100)} %`)
      await instant.copy(join(data, name), join(work, name), { signal, onCopied })
    }
    return { databases, createdAt, heldMs: Math.round(instant.heldMs * 100) / 100 }
  } finally {
    instant.close()
  }
}

/** Takes the instant anew when a service made its database meanwhile: others may have heard of what is in it. */
async function instantOfAll({
  data,
  clock,
  signal,
}: BackUpOptions): Promise<{ databases: readonly string[]; instant: Instant }> {
  for (;;) {
    const { databases } = dataFiles(data)
    const paths = databases.map((name) => join(data, name))
    const instant = await takeInstant(paths, { clock, signal })
    if (dataFiles(data).databases.length === databases.length) return { databases, instant }
    instant.close()
  }
}

async function checkCopies(databases: readonly string[], work: string, options: BackUpOptions): Promise<StoredFile[]> {
  const files: StoredFile[] = []
  for (const name of databases) {
    options.onProgress(`checking ${name}`)
    wantWhole(join(work, name))
    files.push({ ...(await described(work, name, options.signal)), integrity: 'ok' })
  }
  return files
}

/** Keys and notes, each whole in memory. */
async function copyTexts(
  names: readonly string[],
  { data, signal }: BackUpOptions,
  work: string,
): Promise<StoredFile[]> {
  const files: StoredFile[] = []
  await mkdir(join(work, 'keys'), { mode: 0o700, recursive: true })
  for (const name of names) {
    // as strict as whoever uses it: one that is open to others, or a link, is no key
    const key = await readPrivateFile(join(data, name))
    // taken away since the folder was looked through
    if (!key) continue
    await writeFile(join(work, name), key, { mode: 0o600 })
    files.push(await described(work, name, signal))
  }
  return files
}

/** Throws AppError `DISK_FULL` rather than take the room that the platform needs. */
function wantRoom(folder: string, paths: readonly string[], instant: Instant): void {
  const total = paths.reduce((sum, path) => sum + instant.size(path), 0)
  const wanted = total * ROOM + LEAVE_BYTES
  const free = freeBytes(folder)
  if (free >= wanted) return
  throw new AppError(
    'DISK_FULL',
    `${folder} has ${megabytes(free)} free, and a backup of ${megabytes(total)} wants ${megabytes(wanted)} for a while: free some, or write it to another disk`,
  )
}

async function described(folder: string, path: string, signal: AbortSignal): Promise<StoredFile> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(join(folder, path), { signal })) hash.update(chunk)
  return { path, bytes: statSync(join(folder, path)).size, sha256: hash.digest('hex') }
}

async function* reading(
  path: string,
  file: StoredFile,
  onProgress: (what: string) => void,
): AsyncGenerator<Uint8Array> {
  let done = 0
  for await (const chunk of createReadStream(path)) {
    yield chunk
    done += chunk.length
    onProgress(`packing ${file.path}: ${Math.round((done / file.bytes) * 100)} %`)
  }
  // what is packed needs no copy any more
  await rm(path, { force: true })
}
