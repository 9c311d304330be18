import { lstatSync, readFileSync } from 'node:fs'
import { chmod, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../drivers/private-folder.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import type { DeployFile } from './deployment.ts'
import { digestOf, type KeptRecord, readRecord, writeRecord } from './kept-record.ts'

/** Rights of folders. */
const FOLDER = 0o755
const SECRET_FOLDER = 0o700

/** What becomes of a file. */
export type Fate =
  | 'new'
  /** As it is on disk. */
  | 'same'
  /** Written over: nobody has changed it since it was written. */
  | 'updated'
  /** Changed by a person, and left as it is: what is proposed is what was proposed then. */
  | 'yours'
  /** Changed by a person, and proposed otherwise now: that takes an answer. */
  | 'disputed'

/** A file, and what becomes of it. */
export interface Planned {
  readonly file: DeployFile
  readonly fate: Fate
  /** What is on disk; undefined for a new one. */
  readonly yours: string | undefined
}

/**
 * Looks what in a folder would become of files. Writes nothing.
 * Throws AppError `CONFLICT` for a folder in which somebody else has written files of these names, or `deploy` of another kind, unless `force` is given;
 * `CONFIG_INVALID` for a folder that can't be read.
 */
export function planFolder(
  folder: string,
  kind: string,
  files: readonly DeployFile[],
  force: boolean,
): readonly Planned[] {
  const record = readRecord(folder)
  const planned = files.map((file) => planFile(folder, file, record))
  if (force) return planned.map((one) => (one.fate === 'disputed' ? { ...one, fate: 'updated' } : one))
  if (record && record.kind !== kind)
    throw new AppError(
      'CONFLICT',
      `${folder} holds a deployment for ${record.kind}; name another folder with --out, or write this one too with --force`,
    )
  const strangers = record ? [] : planned.filter(({ fate }) => fate === 'disputed')
  if (strangers.length === 0) return planned
  const names = strangers.map(({ file }) => file.path)
  throw new AppError(
    'CONFLICT',
    `${folder} is not empty: ${names.join(', ')} ${names.length === 1 ? 'was' : 'were'} written by somebody else; name another folder with --out, or write over with --force`,
  )
}

function planFile(folder: string, file: DeployFile, record: KeptRecord | undefined): Planned {
  const yours = textOf(join(folder, file.path))
  if (yours === undefined) return { file, fate: 'new', yours }
  if (file.isSecret || yours === file.text) return { file, fate: 'same', yours }
  const written = record?.files[file.path]
  if (written === digestOf(yours)) return { file, fate: 'updated', yours }
  return { file, fate: written === digestOf(file.text) ? 'yours' : 'disputed', yours }
}

function textOf(path: string): string | undefined {
  try {
    if (!lstatSync(path).isFile()) throw new Error('it is no file')
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new AppError('CONFLICT', `${path} is in the way: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Writes files, each as a whole, and keeps what was written. What isn't among them stays as it is.
 * Throws AppError `START_FAILED` for a folder that can't be written.
 */
export async function writeFolder(folder: string, { kind, version, all, chosen }: FolderWriting): Promise<void> {
  try {
    makeFolder(folder, FOLDER)
    for (const file of chosen) await writeWhole(join(folder, file.path), file)
    const before = readRecord(folder)?.files ?? {}
    const digests = all
      .filter(({ file }) => !file.isSecret)
      .map(({ file, fate }) => {
        const isDeclined = fate === 'disputed' && !chosen.includes(file)
        return [file.path, (isDeclined && before[file.path]) || digestOf(file.text)] as const
      })
    await writeRecord(folder, { kind, version, files: Object.fromEntries(digests) })
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('START_FAILED', `${folder} can't be written: ${messageOf(cause)}`, { cause })
  }
}

/** What is written to a folder. */
export interface FolderWriting {
  readonly kind: string
  readonly version: string
  readonly all: readonly Planned[]
  /** Those of `all` that are written. */
  readonly chosen: readonly DeployFile[]
}

async function writeWhole(path: string, { text, mode = 0o644, isSecret = false }: DeployFile): Promise<void> {
  makeFolder(dirname(path), isSecret ? SECRET_FOLDER : FOLDER)
  const fresh = `${path}.new`
  try {
    await writeFile(fresh, text, { mode })
    // whatever the umask leaves
    await chmod(fresh, mode)
    await rename(fresh, path)
  } catch (fault) {
    await rm(fresh, { force: true }).catch(() => {})
    throw fault
  }
}
