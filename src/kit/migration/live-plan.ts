import { differences } from '../config/places.ts'
import { reachPlaces } from '../reached-places.ts'
import { withoutPassword } from '../secrets/address-text.ts'
import { planBus } from './bus-move.ts'
import type { LiveMoveOptions } from './live-move.ts'
import type { MigrationPlan } from './offline.ts'
import { runName } from './run-name.ts'
import { planService, type ServicePlan } from './store-move.ts'

/**
 * Looks at both sides of a move that is going to be made while the platform serves, and says what is there to move by now; changes nothing. Rejects with AppError
 * `CONFLICT` for a target that holds something of others, DriverError for what a server refuses, and the signal's reason.
 */
export async function planLive(
  options: Pick<LiveMoveOptions, 'from' | 'to' | 'services' | 'clock' | 'signal'>,
): Promise<MigrationPlan> {
  const { from, to, clock, signal } = options
  const moved = differences(from, to)
  if (moved.includes('cache')) await reachPlaces(new Set(['cache']), to, { service: 'migration', clock })
  const services = moved.includes('store') ? await planStores(options) : undefined
  const place = (url: string) => ({ url, folder: from.data, clock })
  const way = { from: place(from.bus), to: place(to.bus) }
  const counts = moved.includes('bus')
    ? await planBus({ ...way, run: runName(from.data, { from: from.bus, to: to.bus }), signal, onProgress: () => {} })
    : undefined
  return {
    ...(services && { store: { from: from.store, to: withoutPassword(to.store), services } }),
    ...(counts && { bus: { from: from.bus, to: withoutPassword(to.bus), ...counts } }),
    ...(moved.includes('cache') && { cache: { to: withoutPassword(to.cache) } }),
  }
}

async function planStores({ from, to, services, signal }: Parameters<typeof planLive>[0]) {
  const place = (url: string) => ({ url, folder: from.data })
  const run = runName(from.data, { from: from.store, to: to.store })
  const plans: ServicePlan[] = []
  for (const { service: name, keeps } of services) {
    signal.throwIfAborted()
    const way = { from: place(from.store), to: place(to.store) }
    const plan = await planService({ name, keeps }, { ...way, run, signal, onProgress: () => {} })
    if (plan) plans.push(plan)
  }
  return plans
}
