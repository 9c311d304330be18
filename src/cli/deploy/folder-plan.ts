import { lstatSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readRegularFile } from '../../drivers/regular-file.ts'
import { isOpenToOthers } from '../../kit/data-folder.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import type { DeployFile } from './deployment.ts'
import { digestOf, isWritten, type KeptRecord, type KeptRecords, MOST_BYTES, readRecords } from './kept-record.ts'
import { withKeptSecrets } from './kept-secrets.ts'

/** Rights of a file that names none. */
export const FILE = 0o644

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

/** A file that was written once, and that nothing wants any more. */
export interface Unwanted {
  readonly path: string
  /** What is on disk. */
  readonly yours: string
  /** Then it stays: without its password what a server keeps is lost. */
  readonly isSecret: boolean
  /** Whether it may be taken away, as nobody has changed it. */
  readonly isRemovable: boolean
}

/** What would become of a folder. */
export interface FolderPlan {
  readonly files: readonly Planned[]
  readonly unwanted: readonly Unwanted[]
  /** Secrets, and folders of theirs, that others can read: they are closed. */
  readonly open: readonly Opening[]
  /** What it keeps of the last writing. */
  readonly records: KeptRecords
}

/** What others can read, and the rights that it is to have. */
export interface Opening {
  /** From the folder. */
  readonly path: string
  readonly mode: number
}

/**
 * Looks what in a folder would become of files. Writes nothing.
 * Throws AppError `CONFLICT` for a folder in which somebody else has written files of these names, or `deploy` of another kind, unless `force` is given, and for
 * secrets that don't match; `CONFIG_INVALID` for a folder that can't be read.
 */
export function planFolder(folder: string, kind: string, files: readonly DeployFile[], force: boolean): FolderPlan {
  const records = readRecords(folder)
  const record = records.open
  const isAnother = record !== undefined && record.kind !== kind
  if (isAnother && !force)
    throw new AppError(
      'CONFLICT',
      `${folder} holds a deployment for ${record.kind}; name another folder with --out, or write this one too with --force`,
    )
  const kept = withKeptSecrets(files, {
    textOf: (path) => textOf(join(folder, path)),
    isUntouched: (path, text) => isWritten(records.secrets, path, text),
  })
  const planned = kept.map((file) => planFile(folder, file, records))
  const strangers = record || force ? [] : planned.filter(({ fate }) => fate === 'disputed')
  if (strangers.length > 0) {
    const names = strangers.map(({ file }) => file.path)
    throw new AppError(
      'CONFLICT',
      `${folder} is not empty: ${names.join(', ')} ${names.length === 1 ? 'was' : 'were'} written by somebody else; name another folder with --out, or write over with --force`,
    )
  }
  return {
    files: force ? planned.map(forced) : planned,
    unwanted: isAnother ? [] : unwantedFiles(folder, files, records),
    open: openSecrets(folder, files),
    records,
  }
}

function planFile(folder: string, file: DeployFile, { open, secrets }: KeptRecords): Planned {
  const { path, text, isSecret } = file
  const yours = textOf(join(folder, path))
  if (yours === undefined) return { file, fate: 'new', yours }
  if (yours === text) return { file, fate: 'same', yours }
  const record = isSecret ? secrets : open
  // an empty secret is of no use to anybody
  if ((isSecret && yours.trim() === '') || isWritten(record, path, yours)) return { file, fate: 'updated', yours }
  return { file, fate: record?.files[path] === digestOf(text) ? 'yours' : 'disputed', yours }
}

function forced(one: Planned): Planned {
  return one.fate === 'disputed' || one.fate === 'yours' ? { ...one, fate: 'updated' } : one
}

/** What a file holds; undefined for none. Throws AppError `CONFLICT` for what is no file. */
export function textOf(path: string): string | undefined {
  try {
    if (!lstatSync(path).isFile()) throw new Error('it is no file')
    return readRegularFile(path, MOST_BYTES).toString('utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new AppError('CONFLICT', `${path} is in the way: ${messageOf(cause)}`, { cause })
  }
}

function unwantedFiles(folder: string, files: readonly DeployFile[], records: KeptRecords): readonly Unwanted[] {
  const wanted = new Set(files.map(({ path }) => path))
  const of = (record: KeptRecord | undefined, isSecret: boolean) =>
    Object.keys({ ...record?.files, ...record?.writing })
      .filter((path) => !wanted.has(path))
      .flatMap((path): readonly Unwanted[] => {
        const at = join(folder, path)
        // what else is there by now is none of ours
        if (!lstatSync(at, { throwIfNoEntry: false })?.isFile()) return []
        const yours = textOf(at) ?? ''
        return [{ path, yours, isSecret, isRemovable: !isSecret && isWritten(record, path, yours) }]
      })
  return [...of(records.open, false), ...of(records.secrets, true)]
}

/** A file that others may read, as containers of any user do, is kept from them by its folder alone. */
function openSecrets(folder: string, files: readonly DeployFile[]): readonly Opening[] {
  const secrets = files.filter(({ isSecret }) => isSecret)
  const hidden = secrets.filter(({ mode = FILE }) => isOpenToOthers(mode)).map(({ path }) => dirname(path))
  const wanted = [
    ...secrets.map(({ path, mode = FILE }) => ({ path, mode })),
    ...[...new Set(hidden)].filter((path) => path !== '.').map((path) => ({ path, mode: 0o700 })),
  ]
  return wanted.filter(({ path, mode }) => {
    const found = statSync(join(folder, path), { throwIfNoEntry: false })
    return found !== undefined && isOpenToOthers(found.mode & ~mode)
  })
}
