import { DriverError } from '../../drivers/driver-error.ts'
import type { Store, StorePlace, StoreSnapshot } from '../../drivers/store/contract.ts'
import { dialectOf } from '../../drivers/store/dialect.ts'
import { readStore } from '../../drivers/store/open.ts'
import { CHECKPOINTS_TABLE, endRun } from '../filled-store.ts'
import type { KeptData } from '../kept-data.ts'
import { checksumOf } from './checksum.ts'
import { copyRows, type Moved, moveSerials, startAnew, whatMoves } from './copying.ts'
import { type Followed, followChanges } from './noted-changes.ts'
import type { Noting } from './noting.ts'
import { fillStore } from './store-filling.ts'

/** Rows of a collection that are counted while requests wait: some 10 ms. */
const MOST_COUNTED = 100_000

/** Where a service's store is and where it is to be. */
export interface LiveStoreOptions {
  readonly from: StorePlace
  readonly to: StorePlace
  readonly keeps: KeptData
  /** Names the run for good. */
  readonly run: string
}

/** A store that is copied while its service writes to it: all of it first, then again and again what changed since. Methods reject with DriverError. */
export class LiveStore {
  readonly #options: LiveStoreOptions
  readonly #target: Store<unknown>
  readonly #moved: Moved
  /** Rows of each collection that were there at first. */
  readonly #copied = new Map<string, number>()
  #behind = 0

  private constructor(options: LiveStoreOptions, target: Store<unknown>, moved: Moved) {
    this.#options = options
    this.#target = target
    this.#moved = moved
  }

  /** Makes the target; undefined where the service keeps nothing yet. Throws AppError `CONFLICT` for a target that holds something else, and as `fillStore` does. */
  static async open(options: LiveStoreOptions): Promise<LiveStore | undefined> {
    const source = await readStore(options.from)
    if (!source) return undefined
    try {
      const target = await fillStore(options.to, options.run, options.keeps)
      try {
        return new LiveStore(options, target, await whatMoves(source, target, options.keeps))
      } catch (fault) {
        await target.close()
        throw fault
      }
    } finally {
      await source.close()
    }
  }

  /** What has to be noted for it. */
  get noting(): Noting {
    return { name: this.#options.from.name, tables: this.#moved.collections.map(({ name, key }) => ({ name, key })) }
  }

  /** Copies all rows anew, as they are now: their changes must be noted by then. Rejects with the signal's reason too. */
  async copy(signal: AbortSignal, onCopied: (rows: number) => void): Promise<void> {
    await this.#read(async (from) => {
      for (const collection of this.#moved.collections) {
        await startAnew(collection, this.#target)
        const tell = (rows: number) => {
          this.#copied.set(collection.name, (this.#copied.get(collection.name) ?? 0) + rows)
          onCopied(rows)
        }
        await copyRows(collection, { from, to: this.#target, signal, onCopied: tell })
      }
    })
  }

  /** Copies what changed since. */
  async follow(signal: AbortSignal): Promise<Followed> {
    const followed = await this.#read((from) =>
      followChanges({ from, to: this.#target, collections: this.#moved.collections, behind: this.#behind, signal }),
    )
    this.#behind = followed.last
    return followed
  }

  /**
   * Copies the last changes, once nobody writes to the source, and counts rows on both sides. Gives what keeps this instant of the target, however it goes
   * on. Rejects with DriverError `invalid` where the counts differ.
   */
  async finish(signal: AbortSignal): Promise<StoreSnapshot> {
    await this.follow(signal)
    return this.#read(async (from) => {
      await moveSerials(this.#moved.serials, from, this.#target)
      const instant = await readStore(this.#options.to)
      if (!instant) throw new DriverError('unavailable', `${this.#options.to.name}: the copy is gone`)
      try {
        await this.#wantCounts(from, instant)
        return instant
      } catch (fault) {
        await instant.close()
        throw fault
      }
    })
  }

  /** Large ones are only compared afterwards: requests wait. */
  async #wantCounts(from: StoreSnapshot, instant: StoreSnapshot): Promise<void> {
    // in PostgreSQL the instant is that of the first query; it must lock nothing that the service takes away when it opens the store (filled-store.ts)
    await dialectOf(instant.db).findTable(CHECKPOINTS_TABLE).execute(instant.db)
    for (const collection of this.#moved.collections) {
      if ((this.#copied.get(collection.name) ?? 0) > MOST_COUNTED) continue
      const wanted = await collection.count(from.db)
      const found = await collection.count(instant.db)
      if (wanted === found) continue
      const what = `${found} of ${wanted} rows of ${collection.name} were copied`
      throw new DriverError('invalid', `${this.#options.to.name}: ${what}`)
    }
  }

  /** Compares all rows of the source, to which nobody writes any more, with an instant of the target; gives the collections that differ. */
  async compare(instant: StoreSnapshot, signal: AbortSignal): Promise<readonly string[]> {
    return this.#read(async (from) => {
      const differing: string[] = []
      for (const collection of this.#moved.collections) {
        const [wanted, found] = await Promise.all([
          checksumOf(from.db, collection, { signal }),
          checksumOf(instant.db, collection, { signal }),
        ])
        if (wanted.rows !== found.rows || wanted.sum !== found.sum)
          differing.push(`${this.#options.to.name}: ${collection.name}`)
      }
      return differing
    })
  }

  /** The target is a store like any other from now on. */
  async end(): Promise<void> {
    await endRun(this.#target)
  }

  async close(): Promise<void> {
    await this.#target.close()
  }

  async #read<T>(work: (from: StoreSnapshot) => Promise<T>): Promise<T> {
    const source = await readStore(this.#options.from)
    if (!source) throw new DriverError('unavailable', `${this.#options.from.name}: the store is gone`)
    try {
      return await work(source)
    } finally {
      await source.close()
    }
  }
}
