import { existsSync } from 'node:fs'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { differences, type Places } from '../../kit/config/places.ts'
import { movesOf } from '../../kit/cutover/verdict.ts'
import { AppError } from '../../kit/errors.ts'
import { refuseMoved as refuseNoted } from '../../kit/migration/move-notes.ts'
import { withoutPassword } from '../../kit/secrets/address-text.ts'

/** Places as they are written down and told: without passwords. */
export function shownPlaces({ data, store, bus, cache }: Places): Places {
  return { data, store: withoutPassword(store), bus: withoutPassword(bus), cache: withoutPassword(cache) }
}

/** The settings that lead to where a platform has moved, as a configuration has them. */
export function movedSettings(from: Places, to: Places): string {
  const shown = shownPlaces(to)
  return differences(shownPlaces(from), shown)
    .map((kind) => `${kind}: ${shown[kind]}`)
    .join(', ')
}

/**
 * Refuses places that a platform has moved away from, whether it stood still meanwhile or not: what it was told since is not there, and what waited to be sent
 * there would be sent again. Throws AppError `CONFIG_INVALID`, which says what to put into the configuration.
 */
export function refuseMoved(places: Places): void {
  refuseNoted(places)
  if (!existsSync(places.data)) return
  const own = shownPlaces(places)
  const moves = movesOf(places.data)
  const last = moves.at(-1)
  // limits and leases begin anew anywhere
  const left = (['data', 'store', 'bus'] as const).some((kind) => {
    const away = moves.findLast(({ from, to }) => from[kind] !== to[kind])
    return away !== undefined && own[kind] === away.from[kind] && hasFiles(own, kind)
  })
  if (!last || !left) return
  throw new AppError(
    'CONFIG_INVALID',
    `this platform has moved (${last.at}): put ${movedSettings(own, last.to)} into its configuration, with the password where one is needed`,
  )
}

/** Whether a platform on these places would use what was left behind: a server may have been filled anew. */
function hasFiles({ store, bus, ...places }: Places, kind: 'data' | 'store' | 'bus'): boolean {
  if (kind === 'data') return isEmbedded(store) || isEmbedded(bus)
  return isEmbedded({ ...places, store, bus }[kind])
}
