import { isEmbedded } from '../drivers/by-scheme.ts'
import type { Places } from '../kit/config/places.ts'
import { movesOf } from '../kit/cutover/verdict.ts'
import { readMoves } from '../kit/migration/move-notes.ts'
import { shownPlaces } from './moved.ts'
import type { RunState } from './run-state.ts'

const KINDS = ['store', 'bus', 'cache'] as const

/**
 * Where the platform of a data folder keeps what it keeps, whatever the configuration of who asks says: as what runs on it says, and after all moves that are noted
 * in it. Without passwords where it isn't the configuration that says so. Throws AppError `CONFIG_INVALID` for notes that can't be read.
 * @param configured what the configuration says, its data folder being there
 */
export function whereabouts(configured: Places, running: readonly RunState[]): Places {
  const places = { ...configured, ...running.find((state) => state.places)?.places }
  for (const { from, to } of movesOf(configured.data)) {
    for (const kind of KINDS) if (shownPlaces(places)[kind] === from[kind]) places[kind] = to[kind]
  }
  const notes = readMoves(configured.data)
  for (const kind of ['store', 'bus'] as const) {
    const note = notes[kind]
    if (note?.state === 'left' && isEmbedded(places[kind])) places[kind] = note.server
  }
  return places
}
