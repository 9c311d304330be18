import { isEmbedded } from '../../drivers/by-scheme.ts'
import type { Places } from '../../kit/config/places.ts'
import { whereaboutsOf } from '../../kit/migration/whereabouts.ts'
import type { RunState } from './run-state.ts'

/**
 * Where the platform of a data folder keeps what it keeps, whatever the configuration of who asks says: as what runs on it says, and where its stores and bus have
 * moved to. Without passwords where it isn't the configuration that says so. Throws AppError `CONFIG_INVALID` for notes of moves that can't be read.
 * @param configured what the configuration says
 */
export function whereabouts(configured: Places, running: readonly RunState[]): Places {
  const places = { ...configured, ...running.find((state) => state.places)?.places }
  for (const backend of ['store', 'bus'] as const) {
    const found = whereaboutsOf(configured.data, backend)
    if (found.at === 'server' && isEmbedded(places[backend])) places[backend] = found.server
  }
  return places
}
