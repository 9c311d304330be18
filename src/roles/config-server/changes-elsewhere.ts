import type { Kysely } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { createWakeUp } from '../../kit/wake-up.ts'
import { type ConfigTables, readConfigs, readKeysSince } from './config-rows.ts'
import type { ConfigChange, Configs } from './configs.ts'
import { nameOf } from './documents.ts'

/** What config servers on one store ring when they have changed something. */
const BELL = 'configs'
/** Milliseconds until a look that failed is repeated, and between two looks for what nobody rang for: who made the change may have been killed before. */
const RETRY_MS = 1_000
const LOOK_MS = 5_000

/** What is followed. */
export interface ChangesElsewhereOptions {
  readonly configs: Pick<Configs, 'onChange' | 'tell'>
  readonly store: Pick<Store<ConfigTables>, 'db' | 'ring' | 'onRing'>
  readonly log: Log
  /** Fires when the role stops. */
  readonly signal: AbortSignal
  /** Milliseconds between two looks without a ring. Default 5 000 */
  readonly lookMs?: number
}

/**
 * Lets the config servers on one store hear of each other's changes, so that watchers at any of them are told of all. Resolves once it is known what there
 * is; a change while that is read is told twice rather than never.
 */
export async function followChangesElsewhere(options: ChangesElsewhereOptions): Promise<void> {
  const { configs, store, log, signal, lookMs = LOOK_MS } = options
  const known = new Map<string, number>()
  const bell = createWakeUp()
  let isOurs = false

  configs.onChange((change) => {
    known.set(nameOf(change), Math.max(change.version, known.get(nameOf(change)) ?? 0))
  })
  const stop = store.onRing(BELL, () => {
    if (!isOurs) bell.ring()
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
  void follow()

  async function follow(): Promise<void> {
    for (let waitMs = lookMs; ; ) {
      await bell.sleep(waitMs, signal)
      if (signal.aborted) return
      try {
        for (const change of await changesSince(store.db, known)) configs.tell(change)
        waitMs = lookMs
      } catch (fault) {
        if (!signal.aborted) log.warning(`It is not known yet what other config servers changed: ${fault}`)
        waitMs = Math.min(RETRY_MS, lookMs)
      }
    }
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
