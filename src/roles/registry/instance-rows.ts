import type { Transaction } from 'kysely'
import type { Migration } from 'kysely/migration'
import * as z from 'zod'
import type { Store } from '../../drivers/store/contract.ts'
import { WireInstance } from '../../kit/discovery/watch-events.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import type { Entry, KeptEntry } from './instances.ts'

/** The registry's database. */
export interface RegistryTables {
  instances: { id: string; entry: string }
}

/** The registry's tables, by migration. */
export const registryMigrations: Readonly<Record<string, Migration>> = {
  '001_instances': {
    async up(db) {
      await db.schema
        .createTable('instances')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('entry', 'text', (column) => column.notNull())
        .execute()
    },
  },
}

const Kept = z.object({
  instance: WireInstance,
  health_check_url: z.string().optional(),
  registered_at: z.number(),
  draining: z.boolean(),
  fence: z.number().default(0),
  /** The address of the registry that kept it. */
  registry: z.string().optional(),
})
type Kept = z.output<typeof Kept>

/** Rows written by one statement: SQLite takes 32 766 values. */
const PART = 1_000
/** Most ids that wait to be removed. */
const MOST_UNFORGOTTEN = 10_000

/**
 * Keeps registrations on disk, so that a registry that was killed comes back knowing them. A disk that fails doesn't stop the registry: the
 * table in memory is what counts, and once the disk is well again it has all of it.
 */
export class InstanceRows {
  readonly #store: Pick<Store<RegistryTables>, 'db' | 'transaction'>
  readonly #log: Log
  readonly #registry: string
  /** Something could not be written, and the disk is not as the memory is. */
  #isBehind = false
  #isCatchingUp = false
  /** What could not be removed, by id. */
  readonly #unforgotten = new Set<string>()

  /** @param registry where this registry is. What was kept at another address came with a copied data folder, and may belong to a platform that runs. */
  constructor(store: Pick<Store<RegistryTables>, 'db' | 'transaction'>, log: Log, registry: string) {
    this.#store = store
    this.#log = log
    this.#registry = registry
  }

  /** What is on disk, by id; what another registry kept is forgotten. */
  async load(): Promise<readonly KeptEntry[]> {
    const rows = await this.#store.db.selectFrom('instances').select('entry').orderBy('id').execute()
    const kept = rows.map(({ entry }) => Kept.parse(JSON.parse(entry)))
    const isOurs = ({ registry = this.#registry }: Kept) => registry === this.#registry
    await this.#delete(kept.filter((one) => !isOurs(one)).map(({ instance }) => instance.id))
    return kept.filter(isOurs).map(({ instance, health_check_url, registered_at, draining, fence }) => ({
      instance,
      healthCheckUrl: health_check_url,
      registeredAt: registered_at,
      fence,
      mark: draining ? 'draining' : 'none',
    }))
  }

  /** Resolves when the entry is on disk, or could not be written. */
  async keep(entry: Entry): Promise<void> {
    this.#unforgotten.delete(entry.instance.id)
    await this.#write('keep', (trx) => this.#put(trx, [entry]))
  }

  /** Resolves when the entries are gone from disk, or could not be removed. */
  async forget(entries: readonly Entry[]): Promise<void> {
    await this.#delete(entries.map(({ instance }) => instance.id))
  }

  /** Writes all anew if something could not be written before; to be called now and then. @param entries all that are to be kept */
  async catchUp(entries: () => readonly Entry[]): Promise<void> {
    if (!this.#isBehind || this.#isCatchingUp) return
    this.#isCatchingUp = true
    this.#isBehind = false
    const [kept, gone] = [entries(), [...this.#unforgotten]]
    await this.#write('keep', async (trx) => {
      for (const id of gone) await trx.deleteFrom('instances').where('id', '=', id).execute()
      for (let at = 0; at < kept.length; at += PART) await this.#put(trx, kept.slice(at, at + PART))
    })
    if (!this.#isBehind) for (const id of gone) this.#unforgotten.delete(id)
    this.#isCatchingUp = false
  }

  async #delete(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const isDone = await this.#write('forget', async (trx) => {
      for (const id of ids) await trx.deleteFrom('instances').where('id', '=', id).execute()
    })
    // what is left out comes back at a restart, for as long as nobody is heard of
    if (!isDone) for (const id of ids) if (this.#unforgotten.size < MOST_UNFORGOTTEN) this.#unforgotten.add(id)
  }

  async #put(trx: Transaction<RegistryTables>, entries: readonly Entry[]): Promise<void> {
    await trx
      .insertInto('instances')
      .values(entries.map((entry) => this.#rowOf(entry)))
      .onConflict((conflict) => conflict.column('id').doUpdateSet(({ ref }) => ({ entry: ref('excluded.entry') })))
      .execute()
  }

  #rowOf({ instance, healthCheckUrl, registeredAt, fence, mark }: Entry): RegistryTables['instances'] {
    const kept: z.input<typeof Kept> = {
      instance: { ...instance, tags: [...instance.tags], metadata: { ...instance.metadata } },
      ...(healthCheckUrl !== undefined && { health_check_url: healthCheckUrl }),
      registered_at: registeredAt,
      draining: mark === 'draining',
      fence,
      registry: this.#registry,
    }
    return { id: instance.id, entry: JSON.stringify(kept) }
  }

  async #write(what: string, write: (trx: Transaction<RegistryTables>) => Promise<void>): Promise<boolean> {
    try {
      await this.#store.transaction(write)
      return true
    } catch (fault) {
      if (!this.#isBehind && !this.#isCatchingUp)
        this.#log.error(`could not ${what} a registration on disk; it is known in memory`, { cause: String(fault) })
      this.#isBehind = true
      return false
    }
  }
}
