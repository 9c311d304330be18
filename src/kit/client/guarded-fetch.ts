import { guardedLookup } from '../discovery/address-rule.ts'
import { AppError } from '../errors.ts'

type Dispatcher = NonNullable<RequestInit['dispatcher']>

/** A `fetch` with connections of its own. */
export interface GuardedFetch {
  readonly fetch: typeof fetch
  /** Closes its connections; what is under way on them breaks off. */
  close(): Promise<void>
}

/** Where Node's fetch keeps the dispatcher it uses by default: how copies of undici share one (undici, `lib/global.js`). */
const DEFAULT_DISPATCHER = Symbol.for('undici.globalDispatcher.2')

/**
 * Makes a `fetch` that looks names up by the address rule at each connection: an instance's name that was fine when it was registered can
 * be moved to a metadata service later (DNS rebinding). It opens nothing until it is called.
 * @param lookup how names become addresses
 */
export function createGuardedFetch(lookup = guardedLookup): GuardedFetch {
  let dispatcher: Dispatcher | undefined
  return {
    fetch(input, init) {
      dispatcher ??= createDispatcher(lookup)
      return fetch(input, { ...init, dispatcher })
    },
    close: async () => dispatcher?.destroy(),
  }
}

/** Node has undici within it and exports none of it but `fetch`: the class comes from the one instance that can be reached. */
function createDispatcher(lookup: typeof guardedLookup): Dispatcher {
  const shared: unknown = Reflect.get(globalThis, DEFAULT_DISPATCHER)
  if (typeof shared !== 'object' || shared === null) {
    throw new AppError(
      'INTERNAL',
      'This Node keeps its HTTP client elsewhere: no call can be made with a guarded address',
    )
  }
  return Reflect.construct(shared.constructor, [{ connect: { lookup } }])
}
