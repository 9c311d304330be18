import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isLocked } from '../../drivers/file-lock.ts'

/** What of a data folder belongs in a backup, by its path in the folder. */
export interface DataFiles {
  readonly databases: readonly string[]
  readonly keys: readonly string[]
  /** What tells that databases have moved, without which a platform would begin on what is left of them. */
  readonly notes: readonly string[]
}

/** Also the name of a service of somebody's own. What a damaged database was set aside as ends otherwise. */
const DATABASE = /^\w[\w.-]*\.db$/
/** A hidden one is being written. */
const KEY = /^\w[\w.-]*$/
const NOTE = /^(?:migration|cutover-[\w-]+)\.json$/
/** What a process holds for as long as it lives. */
export const LOCK = /\.lock$/

/**
 * What of a data folder is to be kept: the databases, the keys, without which sealed values can't be read, and where things have moved. The rest tells of
 * what runs now.
 * Throws what node:fs throws.
 */
export function dataFiles(folder: string): DataFiles {
  return {
    databases: filesIn(folder).filter((name) => DATABASE.test(name)),
    keys: filesIn(join(folder, 'keys'))
      .filter((name) => KEY.test(name))
      .map((name) => `keys/${name}`),
    notes: filesIn(folder).filter((name) => NOTE.test(name)),
  }
}

/** Whether anything runs on a data folder: a process of the platform has a lock there for as long as it lives. */
export function isInUse(folder: string): boolean {
  return filesIn(folder).some((name) => LOCK.test(name) && isLocked(join(folder, name)))
}

/** Names of the files in a folder, links left out; none where there is no folder. */
function filesIn(folder: string): readonly string[] {
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort()
}
