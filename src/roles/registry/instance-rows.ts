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

/**
 * Keeps registrations on disk, so that a registry that was killed comes back knowing them. A disk that fails doesn't stop the registry: the
 * table in memory is what counts, and every instance registers again by itself.
 */
export class InstanceRows {
  readonly #store: Store<RegistryTables>
  readonly #log: Log
  readonly #registry: string
  #failing = false

  /** @param registry where this registry is. What was kept at another address came with a copied data folder, and may belong to a platform that runs. */
  constructor(store: Store<RegistryTables>, log: Log, registry: string) {
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
  async keep({ instance, healthCheckUrl, registeredAt, fence, mark }: Entry): Promise<void> {
    const kept: z.input<typeof Kept> = {
      instance: { ...instance, tags: [...instance.tags], metadata: { ...instance.metadata } },
      ...(healthCheckUrl !== undefined && { health_check_url: healthCheckUrl }),
      registered_at: registeredAt,
      draining: mark === 'draining',
      fence,
      registry: this.#registry,
    }
    const entry = JSON.stringify(kept)
    await this.#write('keep', () =>
      this.#store.transaction(async (trx) => {
        await trx
          .insertInto('instances')
          .values({ id: instance.id, entry })
          .onConflict((conflict) => conflict.column('id').doUpdateSet({ entry }))
          .execute()
      }),
    )
  }

  /** Resolves when the entries are gone from disk, or could not be removed. */
  async forget(entries: readonly Entry[]): Promise<void> {
    await this.#delete(entries.map(({ instance }) => instance.id))
  }

  async #delete(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#write('forget', () =>
      this.#store.transaction(async (trx) => {
        for (const id of ids) await trx.deleteFrom('instances').where('id', '=', id).execute()
      }),
    )
  }

  async #write(what: string, write: () => Promise<void>): Promise<void> {
    try {
      await write()
      this.#failing = false
    } catch (fault) {
      if (!this.#failing)
        this.#log.error(`could not ${what} a registration on disk; it is known in memory`, { cause: String(fault) })
      this.#failing = true
    }
  }
}
