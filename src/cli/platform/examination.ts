import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { arch, release } from 'node:os'
import { dirname } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { fileSystemOf } from '../../drivers/system/file-system.ts'
import { systemLimits } from '../../drivers/system/limits.ts'
import type { Section, Settings } from '../../kit/config/schema.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import { isTaken } from '../../kit/supervisor/free-port.ts'
import {
  FILE_SYSTEM,
  type Finding,
  folderFindings,
  heapFinding,
  limitFindings,
  portsFinding,
  type TakenPort,
} from '../../kit/system-findings.ts'
import { VERSION } from '../session/version.ts'

/** Where a platform keeps what it keeps. */
type Place = Pick<Settings, 'data' | 'store' | 'bus'>

/** The program and the machine it runs on, in a few words each, by what they are of. */
export function programFacts(): Readonly<Record<string, string>> {
  return {
    msvc: VERSION,
    node: process.version,
    system: `${process.platform} ${release()} ${arch()}`,
    time: `${new Date().toISOString()} by this machine's clock`,
    user: process.getuid === undefined ? 'not told by this system' : `uid ${process.getuid()}`,
  }
}

/** Looks at what the system gives, and at the data folder or the folder that it would be made in. */
export async function examineSystem(place: Place): Promise<readonly Finding[]> {
  const limits = systemLimits()
  const heap = heapFinding(getHeapStatistics().heap_size_limit, limits.memoryBytes)
  return [...limitFindings(limits), heap, ...(await examineFolder(place))]
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
  const folder = existingFolder(place.data)
  try {
    const found = await fileSystemOf(folder)
    return [...folderFindings(found, isKeptHere(place)), ...(folder === place.data ? [await rightsOf(folder)] : [])]
  } catch (fault) {
    return [unusable(messageOf(fault))]
  }
}

function unusable(found: string): Finding {
  return { what: 'data folder', found, is: 'bad', remedy: 'name another folder with --data' }
}

async function rightsOf(folder: string): Promise<Finding> {
  const what = 'rights of the data folder'
  const status = await stat(folder)
  if (!status.isDirectory()) return unusable(`${folder} is no folder`)
  const found = (status.mode & 0o777).toString(8).padStart(4, '0')
  if (process.platform === 'win32' || (status.mode & 0o077) === 0) return { what, found, is: 'good' }
  return { what, found, is: 'bad', remedy: `others can get at the keys in it: chmod 700 ${folder}` }
}

/**
 * Says what of the system is so low that nothing runs well on it, a line each (`msvc doctor` tells what is too low for load too), and refuses a data folder where the databases in it would be damaged. Throws AppError `CONFIG_INVALID`.
 * @param warn where the lines go
 */
export async function heedSystem(place: Place, warn: (words: string) => void): Promise<void> {
  const findings = await examineSystem(place)
  const network = findings.find(({ what, is }) => what === FILE_SYSTEM && is === 'bad')
  if (network)
    throw new AppError(
      'CONFIG_INVALID',
      `${place.data} lies on ${network.found}, where the locks of databases don't hold: ${network.remedy}`,
    )
  for (const { what, found, is, remedy } of findings)
    if (is === 'bad') warn(`${what}: ${found}; ${remedy} (msvc doctor)`)
}

function existingFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existingFolder(dirname(path))
}

function isKeptHere({ store, bus }: Place): boolean {
  return isEmbedded(store) || isEmbedded(bus)
}
