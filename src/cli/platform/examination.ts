import { arch, release } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { systemLimits } from '../../drivers/system/limits.ts'
import type { Section } from '../../kit/config/schema.ts'
import { AppError } from '../../kit/errors.ts'
import { isTaken } from '../../kit/supervisor/free-port.ts'
import {
  clockFinding,
  FILE_SYSTEM,
  type Finding,
  heapFinding,
  limitFindings,
  portsFinding,
  type TakenPort,
} from '../../kit/system-findings.ts'
import { VERSION } from '../session/version.ts'
import { clocksApart, writtenEvidence } from './clock-evidence.ts'
import { DATA_FOLDER, examineFolder, type Place } from './folder-examination.ts'

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

/** Looks at the ports of these sections, which `msvc up` would listen on. Port 0 is any that is free. */
export async function examinePorts(sections: Readonly<Record<string, Section>>): Promise<Finding> {
  const looked = Object.entries(sections).map(
    async ([role, { host, port }]): Promise<readonly TakenPort[]> =>
      port !== 0 && (await isTaken(host, port)) ? [{ role, host, port }] : [],
  )
  return portsFinding((await Promise.all(looked)).flat())
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
  // what opens the folder says itself why it can't
  for (const { what, found, is, remedy } of findings)
    if (is === 'bad' && what !== DATA_FOLDER) warn(`${what}: ${found}; ${remedy} (msvc doctor)`)
  const low = findings
    .filter(({ is }) => is === 'low')
    .map(({ what, found, remedy }) => `${what}: ${found} (${remedy})`)
  if (low.length > 0) warn(`too low for load: ${low.join('; ')}`)
}
