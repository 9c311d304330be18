import { existsSync, readFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { syncFolder } from '../backup/archive-file.ts'
import { forgetMoves } from '../cutover/verdict.ts'
import { AppError } from '../errors.ts'

/** The file in a data folder that tells of its moves. */
export const NOTES_FILE = 'migration.json'

/** What became of what a data folder holds of one backend, or is to hold. */
const Move = z.object({
  /** `leaving`: it is being copied to a server. `left`: it is there. `coming`: it is being copied from a server, and not whole yet. */
  state: z.enum(['leaving', 'left', 'coming']),
  /** The server, without a password. */
  server: z.string(),
  /** RFC 3339. */
  at: z.string(),
})
export type Move = z.infer<typeof Move>

const MoveNotes = z.object({ store: Move.optional(), bus: Move.optional() })
export type MoveNotes = z.infer<typeof MoveNotes>

/** What can be moved. */
export type Backend = 'store' | 'bus'

/** What a data folder's file says; nothing where there is none. Throws AppError `CONFIG_INVALID` for one that can't be read. */
export function readMoves(folder: string): MoveNotes {
  const path = join(folder, NOTES_FILE)
  if (!existsSync(path)) return {}
  try {
    return MoveNotes.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    throw new AppError('CONFIG_INVALID', `${path} is not what msvc migrate wrote: put it right, or take it away`, {
      cause,
    })
  }
}

/**
 * Writes down what became of one backend, or of both at once, so that nobody finds half of it; what is written is on disk when this resolves.
 * @param became by backend; undefined for nothing that anybody needs to know. Of a backend that isn't named, what was written before stays
 */
export async function noteMoves(
  folder: string,
  became: Readonly<Partial<Record<Backend, Move | undefined>>>,
): Promise<void> {
  if (Object.values(became).some((move) => move?.state === 'coming')) forgetMoves(folder)
  const notes = MoveNotes.parse({ ...readMoves(folder), ...became })
  const path = join(folder, NOTES_FILE)
  if (notes.store === undefined && notes.bus === undefined) {
    await rm(path, { force: true })
  } else {
    const fresh = `${path}.new`
    const file = await open(fresh, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(notes, undefined, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(fresh, path)
  }
  await syncFolder(folder)
}

/**
 * Refuses a platform whose data have left the folder, or aren't whole there: two platforms would each send what the other has sent, and charge again.
 * Throws AppError `CONFIG_INVALID`.
 */
export function refuseMoved({
  data,
  ...backends
}: { readonly data: string } & Readonly<Record<Backend, string>>): void {
  const moves = readMoves(data)
  for (const backend of ['store', 'bus'] as const) {
    const move = moves[backend]
    if (move === undefined || move.state === 'leaving' || !isEmbedded(backends[backend])) continue
    throw new AppError(
      'CONFIG_INVALID',
      move.state === 'left' ? gone(data, backend, move) : incomplete(data, backend, move),
    )
  }
}

const HELD = { store: 'databases', bus: 'messages' } as const

function gone(data: string, backend: Backend, { server, at }: Move): string {
  const back = `to run on what is still here all the same, without anything that came since, take ${join(data, NOTES_FILE)} away`
  return `the ${HELD[backend]} of ${data} were moved to ${server} (${at}): say ${backend}: ${server} in the configuration; ${back}`
}

function incomplete(data: string, backend: Backend, { server }: Move): string {
  return `the ${HELD[backend]} of ${server} are not all in ${data} yet: run the same msvc migrate again, which goes on where it was ended`
}
