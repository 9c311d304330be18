import { loadBusDriver } from '../drivers/bus/open.ts'
import { openCache } from '../drivers/cache/open.ts'
import type { Clock } from '../drivers/clock.ts'
import { readStore } from '../drivers/store/open.ts'
import type { PlaceKind, Places } from './config/places.ts'

/** How long a cache may take to answer, milliseconds. */
const CACHE_MS = 2_000

/**
 * Looks whether a service reaches places to which it is going to move, and loads what it needs there: so that the move itself takes no longer than it must. Changes
 * nothing. Rejects with DriverError, which says what is in the way.
 */
export async function reachPlaces(
  kinds: ReadonlySet<PlaceKind>,
  { data, store, bus, cache }: Places,
  { service, clock }: { readonly service: string; readonly clock: Clock },
): Promise<void> {
  if (kinds.has('store')) await (await readStore({ url: store, name: service, folder: data }))?.close()
  // a bus that is being filled is nobody's to ask
  if (kinds.has('bus')) await loadBusDriver(bus)
  if (!kinds.has('cache')) return
  const part = await openCache({ url: cache, prefix: `${service}:`, clock })
  try {
    await part.check(AbortSignal.timeout(CACHE_MS))
  } finally {
    await part.close()
  }
}
