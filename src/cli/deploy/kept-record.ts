import { createHash } from 'node:crypto'
import { join } from 'node:path'
import * as z from 'zod'
import { makePrivateFolder } from '../../drivers/private-folder.ts'
import { readRegularFile } from '../../drivers/regular-file.ts'
import { replaceFile } from '../../drivers/replaced-file.ts'
import { AppError } from '../../kit/errors.ts'
import { isRecord } from '../../kit/record.ts'
import { SECRETS } from './platform-secrets.ts'

/** By which it is known what in a folder is as it was written, and what a person has changed since. */
export const RECORD = '.msvc-deploy.json'
/** The same of secrets, which lies with them: who has a digest can try passwords by it. */
const SECRET_RECORD = `${SECRETS}/${RECORD}`

/** Of a file in the folder: a record that came with somebody's repository may name any. */
const Path = z.string().refine((path) => !/^(?:[/\\]|[A-Za-z]:)|(?:^|[/\\])\.\.(?:$|[/\\])/.test(path))
const Digests = z.record(Path, z.string())
const Recorded = z.object({
  kind: z.string(),
  version: z.string(),
  /** What flags asked for. */
  asked: z.object({ scale: z.record(z.string(), z.int()).optional(), image: z.string().optional() }).optional(),
  files: Digests,
  /** What was about to be written: all of it, some or none may be there, as whoever wrote it may have been killed. */
  writing: Digests.default({}),
})

/** What was written last: which kind of deployment, and the digest of each file by its path. */
export type KeptRecord = z.infer<typeof Recorded>

/** What a folder keeps of the last writing; `secrets` where it has some. */
export interface KeptRecords {
  readonly open: KeptRecord | undefined
  readonly secrets: KeptRecord | undefined
}

/** Reads what a folder keeps; undefined for one in which nothing was written. Throws AppError `CONFIG_INVALID` for a record that can't be read. */
export function readRecords(folder: string): KeptRecords {
  return { open: readRecord(join(folder, RECORD)), secrets: readRecord(join(folder, SECRET_RECORD)) }
}

/** Of what a deployment writes, a file, bytes: far more than any has. */
export const MOST_BYTES = 4_194_304

function readRecord(path: string): KeptRecord | undefined {
  try {
    return Recorded.parse(JSON.parse(readRegularFile(path, MOST_BYTES).toString('utf8')))
  } catch (cause) {
    if (isRecord(cause) && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return undefined
    throw new AppError(
      'CONFIG_INVALID',
      `${path} can't be read, by which your changes are told from what was written; move it away, and choose with --force what holds`,
      { cause },
    )
  }
}

/** Whether a text is what was written to a path, or was about to be. */
export function isWritten(record: KeptRecord | undefined, path: string, text: string): boolean {
  const digest = digestOf(text)
  return record !== undefined && [record.files[path], record.writing[path]].includes(digest)
}

/** Whether two keep the same. */
export function areSame(a: KeptRecords, b: KeptRecords): boolean {
  return textOf(a.open) === textOf(b.open) && textOf(a.secrets) === textOf(b.secrets)
}

/** Keeps what was written, in a folder that is there; the one of secrets for its owner alone. */
export async function writeRecords(folder: string, { open, secrets }: KeptRecords): Promise<void> {
  if (secrets) {
    makePrivateFolder(join(folder, SECRETS))
    await replaceFile(join(folder, SECRET_RECORD), textOf(secrets))
  }
  if (open) await replaceFile(join(folder, RECORD), textOf(open), { mode: 0o644 })
}

function textOf(kept: KeptRecord | undefined): string {
  if (!kept) return ''
  const { writing, files, ...record } = kept
  const isWriting = Object.keys(writing).length > 0
  const all = { ...record, files: inOrder(files), ...(isWriting && { writing: inOrder(writing) }) }
  return `${JSON.stringify(all, null, 2)}\n`
}

function inOrder(digests: KeptRecord['files']): KeptRecord['files'] {
  return Object.fromEntries(Object.entries(digests).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What a file's text is known by. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
