import { join } from 'node:path'
import { type FileLock, takeLock } from '../drivers/file-lock.ts'
import { wantWritable } from './data-folder.ts'
import { AppError } from './errors.ts'

/**
 * Holds a database in the data folder for this process and those that it starts: what a role keeps in memory is only right for one. Two that
 * start in the same instant see nothing of each other but this. Throws AppError `CONFIG_INVALID` when somebody else holds it, and for a
 * folder that can't be written to.
 * @param name without `.db`
 */
export function holdDatabase(folder: string, name: string): FileLock {
  wantWritable(folder)
  const lock = takeLock(join(folder, `${name}.lock`))
  if (lock) return lock
  const path = join(folder, `${name}.db`)
  throw new AppError(
    'CONFIG_INVALID',
    `${path}: open in another process; stop that one, or choose another folder with --data`,
  )
}
