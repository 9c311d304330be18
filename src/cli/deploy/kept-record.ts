import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { AppError } from '../../kit/errors.ts'
import { isRecord } from '../../kit/record.ts'

/** By which it is known what in a folder is as it was written, and what a person has changed since. */
const RECORD = '.msvc-deploy.json'
const Recorded = z.object({ kind: z.string(), version: z.string(), files: z.record(z.string(), z.string()) })

/** What was written last: which kind of deployment, and the digest of each file by its path. */
export type KeptRecord = z.infer<typeof Recorded>

/** Reads what a folder keeps of the last writing; undefined for one in which nothing was written. Throws AppError `CONFIG_INVALID` for a record that can't be read. */
export function readRecord(folder: string): KeptRecord | undefined {
  const path = join(folder, RECORD)
  try {
    return Recorded.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    if (isRecord(cause) && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return undefined
    throw new AppError(
      'CONFIG_INVALID',
      `${path} can't be read, by which your changes are told from what was written; move it away, and choose with --force what holds`,
      { cause },
    )
  }
}

/** Keeps what was written. */
export async function writeRecord(folder: string, record: KeptRecord): Promise<void> {
  const files = Object.fromEntries(Object.entries(record.files).sort(([a], [b]) => (a < b ? -1 : 1)))
  await writeFile(join(folder, RECORD), `${JSON.stringify({ ...record, files }, null, 2)}\n`)
}

/** What a file's text is known by. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
