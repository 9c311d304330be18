import { existsSync } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { arch, release } from 'node:os'
import { dirname } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { fileSystemOf } from '../../drivers/system/file-system.ts'
import { systemLimits } from '../../drivers/system/limits.ts'
import { closingCommand, isOpenOnWindows } from '../../drivers/windows-rights.ts'
import type { Section, Settings } from '../../kit/config/schema.ts'
import { isOpenToOthers } from '../../kit/data-folder.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import { isTaken } from '../../kit/supervisor/free-port.ts'
import {
  clockFinding,
  FILE_SYSTEM,
  type Finding,
  folderFindings,
  heapFinding,
  limitFindings,
  portsFinding,
  type TakenPort,
} from '../../kit/system-findings.ts'
import { VERSION } from '../session/version.ts'
import { clocksApart, writtenEvidence } from './clock-evidence.ts'

/** Where a platform keeps what it keeps. */
type Place = Pick<Settings, 'data' | 'store' | 'bus'>

/** The program and the machine it runs on, in a few words each, by what they are of. */
export function programFacts(): Readonly<Record<string, string>> {
  return {
    msvc: VERSION,
    node: process.version,
    system: `${process.platform} ${release()} ${arch()}`,
    user: process.getuid === undefined ? 'not told by this system' : `uid ${process.getuid()}`,
  }
}

/** What is looked at besides. */
export interface ExaminationOptions {
  /** Whether one role alone is to run, which takes less than all of them. Default false. */
  readonly alone?: boolean
  /** Registries on other machines, separated by commas, whose clocks are to be asked. Default: none. */
  readonly registries?: string | undefined
}

/** Looks at what the system gives, at its clock, and at the data folder or the folder that it would be made in. */
export async function examineSystem(
  place: Place,
  { alone = false, registries }: ExaminationOptions = {},
): Promise<readonly Finding[]> {
  const limits = systemLimits()
  const heap = heapFinding(getHeapStatistics().heap_size_limit, limits.memoryBytes)
  const apart = registries === undefined ? [] : await clocksApart(registries)
  const clock = clockFinding(Date.now(), { written: await writtenEvidence(place.data), apart })
  return [...limitFindings(limits, { alone }), heap, clock, ...(await examineFolder(place))]
}

/** Looks whether others can get at the data folder; nothing where there is none. On Windows that takes half a second. */
export async function examineRights({ data }: Pick<Place, 'data'>): Promise<readonly Finding[]> {
  const what = 'rights of the data folder'
  const status = await stat(data).catch(() => undefined)
  if (!status?.isDirectory()) return []
  const isWindows = process.platform === 'win32'
  const isOpen = isWindows ? isOpenOnWindows(data) : isOpenToOthers(status.mode)
  const found = isWindows
    ? isOpen
      ? 'others too'
      : 'this user alone'
    : (status.mode & 0o777).toString(8).padStart(4, '0')
  if (!isOpen) return [{ what, found, is: 'good' }]
  const remedy = `others can get at the keys in it: ${isWindows ? closingCommand(data) : `chmod 700 ${data}`}`
  return [{ what, found, is: 'bad', remedy }]
}

/** Looks at the ports of these sections, which `msvc up` would listen on. Port 0 is any that is free. */
export async function examinePorts(sections: Readonly<Record<string, Section>>): Promise<Finding> {
  const looked = Object.entries(sections).map(
    async ([role, { host, port }]): Promise<readonly TakenPort[]> =>
      port !== 0 && (await isTaken(host, port)) ? [{ role, host, port }] : [],
  )
  return portsFinding((await Promise.all(looked)).flat())
}

async function examineFolder(place: Place): Promise<readonly Finding[]> {
  try {
    const folder = existingFolder(place.data)
    const status = await stat(folder)
    if (!status.isDirectory()) return [unusable(`${folder} is no folder`)]
    const mine = process.geteuid?.() ?? status.uid
    if (folder === place.data && status.uid !== mine)
      return [unusable(`${folder} belongs to uid ${status.uid}, and this is uid ${mine}`, 'run msvc as that user')]
    if (!(await isWritable(folder)))
      return [unusable(`this user may not write to ${folder}`, 'run msvc as another user')]
    const found = await fileSystemOf(folder)
    return folderFindings(found, isKeptHere(place))
  } catch (fault) {
    return [unusable(messageOf(fault))]
  }
}

function unusable(found: string, instead?: string): Finding {
  const other = 'name another folder with --data'
  return { what: 'data folder', found, is: 'bad', remedy: instead === undefined ? other : `${instead}, or ${other}` }
}

function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** What `heedSystem` was given besides. */
export interface HeedOptions extends Pick<ExaminationOptions, 'alone'> {
  /** Where the lines go. */
  readonly warn: (words: string) => void
}

/**
 * Says what of the system is so low that nothing runs well on it, a line each, and in one line what is too low for load alone; refuses a data folder where the databases
 * in it would be damaged. Throws AppError `CONFIG_INVALID`.
 */
export async function heedSystem(place: Place, { warn, alone = false }: HeedOptions): Promise<void> {
  const findings = await examineSystem(place, { alone })
  const network = findings.find(({ what, is }) => what === FILE_SYSTEM && is === 'bad')
  if (network)
    throw new AppError(
      'CONFIG_INVALID',
      `${place.data} lies on ${network.found}, where the locks of databases don't hold: ${network.remedy}`,
    )
  for (const { what, found, is, remedy } of findings)
    if (is === 'bad') warn(`${what}: ${found}; ${remedy} (msvc doctor)`)
  const low = findings
    .filter(({ is }) => is === 'low')
    .map(({ what, found, remedy }) => `${what}: ${found} (${remedy})`)
  if (low.length > 0) warn(`too low for load: ${low.join('; ')}`)
}

function existingFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existingFolder(dirname(path))
}

function isKeptHere({ store, bus }: Place): boolean {
  return isEmbedded(store) || isEmbedded(bus)
}
