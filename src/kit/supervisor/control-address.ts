import { createHash } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { makePrivateFolder } from '../../drivers/private-folder.ts'
import { AppError } from '../errors.ts'

/** Longest path of a socket on every system (sun_path: 108 on Linux, 104 on macOS, with its final zero), bytes. */
const LONGEST = 103
const NAME = 'control.sock'

/**
 * Where the platform of a data folder takes requests: a socket in the folder; where its path would be too long, one in a folder of this user's own among
 * the temporary ones; a named pipe on Windows. Throws AppError `CONFIG_INVALID` when that folder isn't this user's alone.
 */
export function controlAddress(data: string, platform: NodeJS.Platform = process.platform): string {
  const folder = resolve(data)
  const path = join(folder, NAME)
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 32)
  if (platform === 'win32') return `\\\\.\\pipe\\msvc-${name}`
  if (Buffer.byteLength(path) <= LONGEST) return path
  const own = join(tmpdir(), `msvc-${process.geteuid?.() ?? 0}`)
  makePrivateFolder(own)
  const { uid, mode } = lstatSync(own)
  const isOurs = uid === (process.geteuid?.() ?? uid) && (mode & 0o170777) === 0o040700
  if (!isOurs) throw new AppError('CONFIG_INVALID', `${own} is not a folder for this user alone (0700)`)
  return join(own, `${name}.sock`)
}
