import { existsSync } from 'node:fs'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { dataFiles } from '../backup/data-files.ts'
import { movesOf } from '../cutover/verdict.ts'
import { type Backend, readMoves } from './move-notes.ts'
import { BUS_FILE } from './moved-services.ts'

/** Where by now is what a data folder held of one backend. */
export type Whereabouts =
  /** In its files. */
  | { readonly at: 'folder' }
  /** It has left for a server, or comes from there and isn't whole here yet. The URL has no password. */
  | { readonly at: 'server'; readonly server: string; readonly since: string }
  /** The folder knows of none. */
  | { readonly at: 'nowhere' }

/**
 * Finds it out by the folder itself: its files, and what is noted there of moves, made while the platform stood or while it served. Throws AppError
 * `CONFIG_INVALID` for notes that can't be read, and what node:fs throws.
 */
export function whereaboutsOf(folder: string, backend: Backend): Whereabouts {
  if (!existsSync(folder)) return { at: 'nowhere' }
  const [last] = [notedMove(folder, backend), liveMove(folder, backend)]
    .filter((move) => move !== undefined)
    .sort((one, other) => (one.since > other.since ? -1 : 1))
  if (last !== undefined) return { at: 'server', ...last }
  const isHere = dataFiles(folder).databases.some((file) => (file === BUS_FILE) === (backend === 'bus'))
  return { at: isHere ? 'folder' : 'nowhere' }
}

function notedMove(folder: string, backend: Backend) {
  const move = readMoves(folder)[backend]
  return move === undefined || move.state === 'leaving' ? undefined : { server: move.server, since: move.at }
}

function liveMove(folder: string, backend: Backend) {
  const move = movesOf(folder).findLast(({ from, to }) => from[backend] !== to[backend])
  return move === undefined || isEmbedded(move.to[backend]) ? undefined : { server: move.to[backend], since: move.at }
}
