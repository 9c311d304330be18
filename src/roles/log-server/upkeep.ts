import { randomUUID } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import type { LogTables } from './tables.ts'

/** Seconds after its last step at which a log server that sweeps counts as gone. */
const TERM_S = 120

/** Lets one log server of all that share a store delete what is not to be kept. */
export interface Upkeep {
  /** Whether it is this one that does. Rejects with DriverError. */
  begin(): Promise<boolean>
  /** Deletes something, in a transaction; undefined when another one does by now. Rejects with DriverError. */
  step<T>(work: (trx: Transaction<LogTables>) => Promise<T>): Promise<T | undefined>
}

/** The upkeep of a store that one log server has for itself. */
export function soleUpkeep(store: Store<LogTables>): Upkeep {
  return { begin: async () => true, step: (work) => store.transaction(work) }
}

/**
 * The upkeep of a store that several share: a lease in a row of its own. Each step takes it along, with the number of its term, so that one that stood still
 * for a while deletes nothing on top of what another has (a fencing token: Kleppmann, "How to do distributed locking", 2016).
 */
export class SharedUpkeep implements Upkeep {
  readonly #store: Store<LogTables>
  readonly #name = randomUUID()
  #term = 0

  constructor(store: Store<LogTables>) {
    this.#store = store
  }

  async begin(): Promise<boolean> {
    const take = sql<{ term: number }>`
      update log_keeper set name = ${this.#name}, until = now() + ${TERM_S} * interval '1 second',
        term = case when name = ${this.#name} then term else term + 1 end
      where name = ${this.#name} or until < now() returning term`
    const { rows } = await this.#store.transaction((trx) => take.execute(trx), { isolation: 'committed' })
    this.#term = rows[0]?.term ?? this.#term
    return rows.length > 0
  }

  step<T>(work: (trx: Transaction<LogTables>) => Promise<T>): Promise<T | undefined> {
    return this.#store.transaction(async (trx) => {
      const { numAffectedRows } = await sql`
        update log_keeper set until = now() + ${TERM_S} * interval '1 second'
        where name = ${this.#name} and term = ${this.#term}`.execute(trx)
      return numAffectedRows === 1n ? work(trx) : undefined
    })
  }
}
