import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { wantAbsent, writeWhole } from '../../kit/backup/archive-file.ts'
import { AppError } from '../../kit/errors.ts'
import type { Session } from './session.ts'

/** Where a command's bytes go: a file, or stdout. */
export interface OutputFile {
  /** Its absolute path; undefined for stdout. */
  readonly path: string | undefined
  /** A folder for what is put together before, on the same disk as the file. */
  readonly besides: string
  /** Writes it, whole or not at all where it is a file. @param work a folder in `besides`, which its maker clears away */
  write(chunks: AsyncIterable<Uint8Array>, work: string): Promise<void>
}

/**
 * Looks at where bytes are to go, before they are made. Throws AppError `USAGE` for a place that can't be, `CONFLICT` for a file that is there already.
 * @param file a path, or `-` for stdout
 * @param what they are, such as `a backup`
 * @param options.force whether it may take the place of a file. Default false
 * @param options.mode its rights. Default: for its owner alone
 */
export function outputFile(
  session: Session,
  file: string,
  what: string,
  { force = false, mode }: { readonly force?: boolean | undefined; readonly mode?: number } = {},
): OutputFile {
  if (file === '-') {
    wantPipe(session, what)
    return { path: undefined, besides: tmpdir(), write: (chunks) => toStdout(session, chunks) }
  }
  const path = resolve(session.io.folder, file)
  wantPlace(path, force)
  return {
    path,
    besides: dirname(path),
    write: (chunks, work) => writeWhole(path, chunks, { work, force, ...(mode !== undefined && { mode }) }),
  }
}

function wantPipe({ io, options }: Session, what: string): void {
  if (options.json)
    throw new AppError('USAGE', `stdout takes ${what} or JSON, not both: name a file, or leave --json out`)
  if (io.out.isTTY) throw new AppError('USAGE', `${what} is no text for a terminal: name a file, or pipe it somewhere`)
  if (io.outputClosed) throw new AppError('USAGE', `stdout is closed: nobody would have ${what}`)
}

function wantPlace(target: string, force: boolean): void {
  const folder = statSync(dirname(target), { throwIfNoEntry: false })
  if (!folder?.isDirectory())
    throw new AppError('USAGE', `there is no folder ${dirname(target)}: make it, or name another`)
  const there = statSync(target, { throwIfNoEntry: false })
  if (there && !there.isFile()) throw new AppError('USAGE', `${target} is no file: name one, or - for stdout`)
  if (!force) wantAbsent(target)
}

async function toStdout({ io }: Session, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) await io.writeBytes(chunk)
}
