import { existsSync } from 'node:fs'
import { differences, type Places } from '../kit/config/places.ts'
import { movesOf } from '../kit/cutover/verdict.ts'
import { AppError } from '../kit/errors.ts'
import { refuseMoved as refuseNoted } from '../kit/migration/move-notes.ts'
import { hideInText } from '../kit/secrets/secret-text.ts'

/** Places as they are written down and told: without passwords. */
export function shownPlaces({ data, store, bus, cache }: Places): Places {
  return { data, store: hideInText(store), bus: hideInText(bus), cache: hideInText(cache) }
}

/** The settings that lead to where a platform has moved, as a configuration has them. */
export function movedSettings(from: Places, to: Places): string {
  const shown = shownPlaces(to)
  return differences(from, to)
    .map((kind) => `${kind}: ${shown[kind]}`)
    .join(', ')
}

/**
 * Refuses the places that a platform has moved away from: what it was told since is not there, and what waited to be sent there would be sent again.
 * Throws AppError `CONFIG_INVALID`, which says what to put into the configuration.
 */
export function refuseMoved(places: Places): void {
  refuseNoted(places)
  if (!existsSync(places.data)) return
  const own = shownPlaces(places)
  const last = movesOf(places.data).findLast(({ from, to }) => isSame(from, own) || isSame(to, own))
  if (!last || isSame(last.to, own)) return
  throw new AppError(
    'CONFIG_INVALID',
    `this platform has moved (${last.at}): put ${movedSettings(last.from, last.to)} into its configuration, with the password where one is needed`,
  )
}

const isSame = (one: Places, other: Places) => differences(one, other).length === 0
