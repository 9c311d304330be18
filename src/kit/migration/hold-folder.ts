import { join } from 'node:path'
import { type FileLock, takeLock } from '../../drivers/file-lock.ts'
import { isInUse } from '../backup/data-files.ts'
import { AppError } from '../errors.ts'

/** What `msvc up` holds, whatever it runs. */
const PLATFORM = 'run'

/**
 * Holds a data folder as a platform on it would, so that none starts meanwhile. Throws AppError `CONFLICT`, and holds nothing then, while one runs on it.
 * @param databases names of databases, without `.db`
 * @returns what lets go
 */
export function holdFolder(data: string, databases: readonly string[]): () => void {
  const locks: FileLock[] = []
  const release = () => {
    for (const lock of locks) lock.release()
  }
  if (isInUse(data)) throw inUse(data)
  for (const name of new Set([PLATFORM, ...databases])) {
    const lock = takeLock(join(data, `${name}.lock`))
    if (lock === undefined) {
      release()
      throw inUse(data)
    }
    locks.push(lock)
  }
  return release
}

function inUse(data: string): AppError {
  return new AppError(
    'CONFLICT',
    `a platform runs on ${data}: stop it first, move it while it serves (--live), or name another folder with --data`,
  )
}
