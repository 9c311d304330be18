import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { makePrivateFile } from '../../drivers/private-folder.ts'
import { Places } from '../config/places.ts'

/** How a cutover ended. */
export const Verdict = z.discriminatedUnion('outcome', [
  /** The platform stays where it was. */
  z.object({ outcome: z.literal('stayed'), id: z.string() }),
  /** From then on the platform lives on the new places, and nobody may write to the old ones. URLs stand here without passwords. */
  z.object({ outcome: z.literal('moved'), id: z.string(), at: z.iso.datetime(), from: Places, to: Places }),
])
export type Verdict = z.infer<typeof Verdict>

const NAME = /^cutover-[\w-]+\.json$/

/**
 * Gives the verdict on a cutover, once and for all: it is on disk when this returns, and whoever gives another later is told of the first. So those
 * who wait for one may each give up by themselves, and none is left on the old places while the others are on the new ones. Throws what node:fs throws.
 * @param folder the data folder of the platform that asks
 * @returns the verdict that stands
 */
export function giveVerdict(folder: string, verdict: Verdict): Verdict {
  const path = join(folder, `cutover-${verdict.id}.json`)
  const draft = `${path}.${randomUUID()}`
  try {
    makePrivateFile(draft)
    const file = openSync(draft, 'r+')
    try {
      writeSync(file, `${JSON.stringify(verdict, undefined, 2)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    try {
      // unlike rename it takes the place of none
      linkSync(draft, path)
    } catch (fault) {
      if (!(fault instanceof Error && 'code' in fault && fault.code === 'EEXIST')) throw fault
    }
  } finally {
    rmSync(draft, { force: true })
  }
  syncFolder(folder)
  return Verdict.parse(JSON.parse(readFileSync(path, 'utf8')))
}

/** The moves that a folder knows of, the first one first. Throws what node:fs throws. */
export function movesOf(folder: string): readonly Extract<Verdict, { outcome: 'moved' }>[] {
  return verdictsIn(folder)
    .map(({ verdict }) => verdict)
    .filter((verdict) => verdict.outcome === 'moved')
    .sort((one, other) => (one.at < other.at ? -1 : 1))
}

/** Forgets all moves: what lies in the folder is going to be what came from elsewhere. Throws what node:fs throws. */
export function forgetMoves(folder: string): void {
  for (const { name } of verdictsIn(folder)) rmSync(join(folder, name), { force: true })
}

/** Takes away what cutovers left that came to nothing. Nobody may be held any more. */
export function forgetStays(folder: string): void {
  for (const { name, verdict } of verdictsIn(folder)) {
    if (verdict.outcome === 'stayed') rmSync(join(folder, name), { force: true })
  }
}

function verdictsIn(folder: string): readonly { readonly name: string; readonly verdict: Verdict }[] {
  return readdirSync(folder)
    .filter((name) => NAME.test(name))
    .map((name) => ({ name, verdict: Verdict.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))) }))
}

/** A file that was made is there after a power cut once its folder is on disk; where a system can't say so, it is none the less there for all processes. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, 'r')
    try {
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
  } catch {
    // the verdict stands
  }
}
