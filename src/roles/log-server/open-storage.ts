import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { dialectOf } from '../../drivers/store/dialect.ts'
import type { EntryStorage } from './entry-storage.ts'
import { PostgresEntries } from './postgres-entries.ts'
import { SqliteEntries } from './sqlite-entries.ts'
import type { LogTables } from './tables.ts'
import { SharedUpkeep, soleUpkeep, type Upkeep } from './upkeep.ts'

/** How a store keeps the entries, and who sweeps it. */
export interface LogStorage {
  readonly entries: EntryStorage
  readonly upkeep: Upkeep
}

/** Opens what the store's kind of database wants. Rejects with DriverError. */
export async function openStorage(store: Store<LogTables>, clock: Pick<Clock, 'now'>): Promise<LogStorage> {
  if (dialectOf(store.db).name === 'sqlite') {
    return { entries: new SqliteEntries(store, clock), upkeep: soleUpkeep(store) }
  }
  return { entries: await PostgresEntries.open(store, clock), upkeep: new SharedUpkeep(store) }
}
