import { execFile } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { AppError, messageOf } from '../../../kit/errors.ts'
import type { Architecture } from './program-file.ts'

/** A library of this machine that a program needs. */
export interface SharedLibrary {
  /** Where the loader looks for it. */
  readonly path: string
  /** The file itself. */
  readonly file: string
}

/** What glibc loads by itself when it looks up a name; from 2.34 on it is in libc. */
const NAME_SERVICES = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2']
const LONGEST_MS = 10_000

/**
 * The libraries with which a program runs on this machine, and the loader: asked of the loader itself, its cache left aside, so that they are found without one too.
 * Throws AppError `START_FAILED` where one is missing.
 */
export async function sharedLibraries(
  program: string,
  { name, loader }: Architecture,
): Promise<readonly SharedLibrary[]> {
  if (!existsSync(loader))
    throw new AppError(
      'START_FAILED',
      `an image for ${name} takes the libraries of a machine of that kind, and this one has no ${loader}: make it there, or by the Dockerfile of msvc deploy docker`,
    )
  const { stdout } = await promisify(execFile)(loader, ['--inhibit-cache', '--list', program], {
    timeout: LONGEST_MS,
    env: {},
  }).catch((cause: unknown) => {
    throw new AppError('START_FAILED', `the libraries of ${program} can't be listed: ${messageOf(cause)}`, { cause })
  })
  const found = libraryPaths(stdout)
  const [libc] = found.filter((path) => /\/libc\.so\.6$/.test(path))
  const more = libc === undefined ? [] : NAME_SERVICES.map((each) => join(dirname(libc), each)).filter(existsSync)
  return [...new Set([loader, ...found, ...more])].map((path) => ({ path, file: realpathSync(path) }))
}

/**
 * Reads what a loader lists, without itself and what the kernel brings.
 * @throws AppError `START_FAILED` that names what is missing
 * @example libraryPaths('\tlibm.so.6 => /lib/libm.so.6 (0x00007f)\n') // ['/lib/libm.so.6']
 */
export function libraryPaths(listed: string): readonly string[] {
  const missing = [...listed.matchAll(/^\s*(\S+) => not found/gm)].map(([, name]) => name)
  if (missing.length > 0)
    throw new AppError(
      'START_FAILED',
      `this machine lacks ${missing.join(', ')}, which the program needs: install it first`,
    )
  return [...listed.matchAll(/^\s*\S+ => (\/\S+) \(/gm)].flatMap(([, path]) => path ?? [])
}
