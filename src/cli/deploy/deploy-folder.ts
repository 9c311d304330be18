import { chmodSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { takeLock } from '../../drivers/file-lock.ts'
import { makeFolder } from '../../drivers/private-folder.ts'
import { replaceFile } from '../../drivers/replaced-file.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import type { DeployFile } from './deployment.ts'
import { FILE, type FolderPlan, textOf } from './folder-plan.ts'
import { areSame, digestOf, isWritten, type KeptRecord, type KeptRecords, writeRecords } from './kept-record.ts'

/** Rights of folders. */
const FOLDER = 0o755
const SECRET_FOLDER = 0o700
/** Held by whoever writes. */
const LOCK = '.msvc-deploy.lock'

/** What is written to a folder. */
export interface FolderWriting {
  readonly kind: string
  readonly version: string
  readonly asked: KeptRecord['asked']
  readonly plan: FolderPlan
  /** Files of the plan that are written. */
  readonly chosen: readonly DeployFile[]
  /** Files of the plan that a person wants to keep as they are, as he has seen what is proposed: he isn't asked about that again. */
  readonly declined: readonly DeployFile[]
  /** Paths of unwanted files that are taken away. */
  readonly removed: readonly string[]
}

/**
 * Writes files, each as a whole, and keeps what was written. What isn't among them stays as it is. Whoever is killed meanwhile leaves a folder in which the next
 * goes on. Throws AppError `START_FAILED` for a folder that can't be written; `CONFLICT`, before anything is written, where something has changed since it was
 * planned, or another is writing.
 */
export async function writeFolder(folder: string, writing: FolderWriting): Promise<void> {
  const { plan, chosen, removed } = writing
  const isQuiet = chosen.length + removed.length + plan.open.length === 0
  if (isQuiet && areSame(plan.records, recordsOf(writing, true))) return
  try {
    makeFolder(folder, FOLDER)
    const lock = takeLock(join(folder, LOCK))
    if (!lock) throw new AppError('CONFLICT', `another msvc deploy is writing to ${folder}; run it again`)
    try {
      await writeAll(folder, writing)
    } finally {
      lock.release()
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('START_FAILED', `${folder} can't be written: ${messageOf(cause)}`, { cause })
  }
}

async function writeAll(folder: string, writing: FolderWriting): Promise<void> {
  const { plan, chosen, removed } = writing
  const seen = [...plan.files.map(({ file, yours }) => ({ path: file.path, yours })), ...plan.unwanted]
  const changed = seen
    .map(({ path, yours }) => ({ path: join(folder, path), yours }))
    .find((one) => textOf(one.path) !== one.yours)
  if (changed)
    throw new AppError('CONFLICT', `${changed.path} has changed meanwhile; nothing was written, run it again`)
  for (const { path, isSecret } of chosen) makeFolder(dirname(join(folder, path)), isSecret ? SECRET_FOLDER : FOLDER)
  for (const { path, mode } of plan.open) chmodSync(join(folder, path), mode)
  await writeRecords(folder, recordsOf(writing, false))
  for (const { path, text, mode = FILE, isSecret = false } of chosen)
    await replaceFile(join(folder, path), text, { mode, isForced: isSecret })
  for (const path of removed) await rm(join(folder, path), { force: true })
  await writeRecords(folder, recordsOf(writing, true))
}

/** What is kept of a writing. @param isDone whether it has ended, or is about to begin */
function recordsOf(all: FolderWriting, isDone: boolean): KeptRecords {
  const { kind, version, asked, plan, chosen, declined, removed } = all
  const record = (isSecret: boolean, before: KeptRecord | undefined): KeptRecord | undefined => {
    const own = plan.files.filter(({ file }) => (file.isSecret ?? false) === isSecret)
    const left = plan.unwanted.filter(({ path }) => isNamed(before, path) && !(isDone && removed.includes(path)))
    if (isSecret && own.length + left.length === 0) return undefined
    const files: Record<string, string> = {}
    const writing: Record<string, string> = {}
    const onDisk = (path: string, yours: string | undefined) => {
      const known = yours !== undefined && isWritten(before, path, yours) ? digestOf(yours) : before?.files[path]
      if (known !== undefined) files[path] = known
    }
    for (const { path, yours } of left) onDisk(path, yours)
    for (const { file, fate, yours } of own) {
      const { path } = file
      const isWriting = chosen.includes(file)
      if (isWriting && !isDone) writing[path] = digestOf(file.text)
      if (isWriting ? isDone : fate === 'same' || fate === 'yours' || declined.includes(file))
        files[path] = digestOf(file.text)
      else onDisk(path, yours)
    }
    return { kind, version, ...(asked && !isSecret && { asked }), files, writing }
  }
  return { open: record(false, plan.records.open), secrets: record(true, plan.records.secrets) }
}

function isNamed(record: KeptRecord | undefined, path: string): boolean {
  return record?.files[path] !== undefined || record?.writing[path] !== undefined
}
