import type { Kysely } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import { pause } from '../../kit/pause.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { type ConfigTables, readConfigs, readKeysSince } from './config-rows.ts'
import type { ConfigChange, Configs } from './configs.ts'
import { nameOf } from './documents.ts'

/** What config servers on one store ring when they have changed something. */
const BELL = 'configs'
/** Milliseconds until a look that failed is repeated. */
const RETRY_MS = 1_000

/** What is followed. */
export interface ChangesElsewhereOptions {
  readonly configs: Pick<Configs, 'onChange' | 'tell'>
  readonly store: Pick<Store<ConfigTables>, 'db' | 'ring' | 'onRing'>
  readonly log: Log
  /** Fires when the role stops. */
  readonly signal: AbortSignal
}

/**
 * Lets the config servers on one store hear of each other's changes, so that watchers at any of them are told of all. Resolves once it is known what there
 * is; a change while that is read is told twice rather than never.
 */
export async function followChangesElsewhere({ configs, store, log, signal }: ChangesElsewhereOptions): Promise<void> {
  const known = new Map<string, number>()
  let isOurs = false
  let isLooking = false
  let again = false

  configs.onChange((change) => {
    known.set(nameOf(change), Math.max(change.version, known.get(nameOf(change)) ?? 0))
  })
  const stop = store.onRing(BELL, () => {
    if (isOurs) return
    again = true
    if (!isLooking) void look()
  })
  signal.addEventListener('abort', stop, { once: true })
  for (const config of await readConfigs(store.db)) known.set(nameOf(config), config.version)
  configs.onChange((change) => {
    if (change.isElsewhere) return
    // it is heard here at once, and here it is known already
    isOurs = true
    store.ring(BELL)
    isOurs = false
  })

  async function look(): Promise<void> {
    isLooking = true
    while (again && !signal.aborted) {
      again = false
      try {
        for (const change of await changesSince(store.db, known)) configs.tell(change)
      } catch (fault) {
        log.warning(`It is not known yet what other config servers changed: ${fault}`)
        again = true
        await pause(RETRY_MS, signal)
      }
    }
    isLooking = false
  }
}

/** What is newer than known. */
async function changesSince(
  db: Kysely<ConfigTables>,
  known: ReadonlyMap<string, number>,
): Promise<readonly ConfigChange[]> {
  const changes: ConfigChange[] = []
  for (const { service, environment, version } of await readConfigs(db)) {
    const before = known.get(nameOf({ service, environment })) ?? 0
    if (version <= before) continue
    const keys = await readKeysSince(db, { service, environment }, before)
    changes.push({ service, environment, version, keys, isElsewhere: true })
  }
  return changes
}
