import { closeSync, lstatSync, readdirSync, readSync, statSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { openRegularFile } from '../../drivers/regular-file.ts'
import { fileSystemOf } from '../../drivers/system/file-system.ts'
import { closingCommand, isOpenOnWindows } from '../../drivers/windows-rights.ts'
import type { Settings } from '../../kit/config/schema.ts'
import { isOpenToOthers, whyUnwritten } from '../../kit/data-folder.ts'
import { type Finding, folderFindings } from '../../kit/system-findings.ts'

/** Where a platform keeps what it keeps. */
export type Place = Pick<Settings, 'data' | 'store' | 'bus'>

/** What the finding about a data folder is called that can't be used. */
export const DATA_FOLDER = 'data folder'
const OTHER = 'name another folder with --data'
/** What each database begins with (https://sqlite.org/fileformat2.html#the_database_header). */
const MAGIC = 'SQLite format 3\0'

/** Looks at the data folder, or at the folder that it would be made in: whether this user can work in it, and where its files really are. */
export async function examineFolder(place: Place): Promise<readonly Finding[]> {
  const folder = existingFolder(place.data)
  try {
    const { uid, isDirectory } = factsOf(folder)
    if (!isDirectory) return [unusable(`${folder} is no folder`)]
    const mine = process.geteuid?.() ?? uid
    if (folder === place.data && uid !== mine)
      return [
        unusable(`${folder} belongs to uid ${uid}, and this is uid ${mine}`, `run msvc as that user, or ${OTHER}`),
      ]
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    return folderFindings(await fileSystemOf(folder), isEmbedded(place.store) || isEmbedded(place.bus))
  } catch (fault) {
    return [unusable(`${folder} can't be used: ${whyUnwritten(fault)}`)]
  }
}

/**
 * Looks at what is in the data folder: whether others can get at it, which on Windows takes half a second to know, and whether its databases are some. Nothing where it can't
 * be read.
 */
export function examineContents({ data }: Pick<Place, 'data'>): readonly Finding[] {
  const none = { isDirectory: false, mode: 0 }
  const { isDirectory, mode } = attempt(() => factsOf(data), none)
  if (!isDirectory) return []
  const names = attempt(() => readdirSync(data), []).filter((name) => name.endsWith('.db'))
  const broken = names.filter((name) => !attempt(() => isDatabase(join(data, name)), true))
  return [rightsOf(data, mode), databasesFinding(names.length, broken)]
}

function rightsOf(data: string, mode: number): Finding {
  const what = 'rights of the data folder'
  const isWindows = process.platform === 'win32'
  const isOpen = isWindows ? isOpenOnWindows(data) : isOpenToOthers(mode)
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  const found = isWindows ? (isOpen ? 'others too' : 'this user alone') : octal
  if (!isOpen) return { what, found, is: 'good' }
  const command = isWindows ? closingCommand(data) : `chmod 700 ${data}`
  return { what, found, is: 'bad', remedy: `others can get at the keys in it: ${command}` }
}

function databasesFinding(count: number, broken: readonly string[]): Finding {
  const what = 'databases in the data folder'
  if (broken.length === 0) return { what, found: String(count), is: 'good' }
  return { what, found: `${broken.join(', ')}: no database`, is: 'bad', remedy: 'msvc restore a backup' }
}

/** Whether a file begins as a database does; that it is sound all through, its role finds out. */
function isDatabase(path: string): boolean {
  const file = openRegularFile(path)
  if (file === undefined) return false
  try {
    const bytes = Buffer.alloc(MAGIC.length)
    return readSync(file, bytes) === MAGIC.length && bytes.toString('latin1') === MAGIC
  } finally {
    closeSync(file)
  }
}

function unusable(found: string, remedy = OTHER): Finding {
  return { what: DATA_FOLDER, found, is: 'bad', remedy }
}

function factsOf(path: string) {
  const status = statSync(path)
  return { uid: status.uid, mode: status.mode, isDirectory: status.isDirectory() }
}

/** The path, or the first above it where something is, if only a link to nothing. */
function existingFolder(path: string): string {
  const isThere = attempt(() => lstatSync(path, { throwIfNoEntry: false }), undefined) !== undefined
  return isThere || dirname(path) === path ? path : existingFolder(dirname(path))
}

function attempt<T>(work: () => T, otherwise: T): T {
  try {
    return work()
  } catch {
    return otherwise
  }
}
