import { type Kysely, sql, type Transaction } from 'kysely'
import { systemClock } from '../clock.ts'
import { DriverError } from '../driver-error.ts'
import { WriteProbe } from '../write-probe.ts'
import { CommitCallbacks } from './commit-callbacks.ts'
import type { Store, StoreDriver, StoreOptions, StorePlace, TransactionOptions } from './contract.ts'
import { readingKysely } from './kysely-face.ts'
import { migrate } from './migrate.ts'
import { type PostgresAddress, parseAddress } from './postgres/address.ts'
import { Attempts } from './postgres/attempts.ts'
import { DistantBells } from './postgres/distant-bells.ts'
import { POSTGRES_PARTS } from './postgres/kysely-parts.ts'
import { migrating } from './postgres/migrating.ts'
import { Pool } from './postgres/pool.ts'
import { PostgresReader } from './postgres/reader.ts'
import { explainRefusal } from './postgres/refusals.ts'
import { type Purpose, Sessions } from './postgres/sessions.ts'
import { readSchema } from './postgres/snapshot.ts'
import { Transactions } from './postgres/transactions.ts'

const WRITING: Purpose = { readOnly: false, statementMs: 5_000 }
const READING: Purpose = { readOnly: true, statementMs: 5_000 }
/** As long as a caller waits at most. */
const READING_LONG: Purpose = { readOnly: true, statementMs: 30_000 }

/** Of a service's connections, those for reads and those for long ones; the rest writes. */
const READERS_SHARE = 0.3
const LONG_READERS_SHARE = 0.2

/** Transactions running or waiting at the same time; the next one is refused. */
const MOST_TRANSACTIONS = 4_096

/** How long the probe of a server's writes tries again, in milliseconds: its answer is waited for no longer than a second. */
const PROBE_AWAY_MS = 500

/** PostgreSQL cuts longer names short, and two could become one. */
const NAME = /^[A-Za-z0-9-]{1,63}$/

/**
 * A PostgreSQL server, 13 or newer: every service has a schema of its name in the database that the URL names, or a database where that says `{service}`. Three
 * pools of connections, opened when they are needed: for transactions, reads and long reads.
 *
 * `open` throws DriverError with what to do about it: `invalid` for a wrong URL, name or migration, a server that is too old or refuses the user,
 * `unavailable` for one that can't be reached, `full`.
 */
export const postgres: StoreDriver = {
  scheme: 'postgres:',
  checkUrl(url) {
    parseAddress(url, 'service')
  },
  async snapshot(place, options = {}) {
    const address = addressOf(place)
    try {
      return await readSchema(new Sessions(address, place.name), place.name, options)
    } catch (error) {
      throw explainRefusal(error, address, place.name)
    }
  },
  async open<DB>(options: StoreOptions): Promise<Store<DB>> {
    const { name, migrations } = options
    const address = addressOf(options)
    const store = new PostgresStore<DB>(address, name)
    try {
      await store.migrate(migrations)
      return store
    } catch (error) {
      await store.close()
      throw explainRefusal(error, address, name)
    }
  },
}

/** Throws DriverError `invalid`. */
function addressOf({ url, name }: StorePlace): PostgresAddress {
  if (NAME.test(name)) return parseAddress(url, name)
  throw new DriverError('invalid', `store name ${JSON.stringify(name)}: want 1 to 63 letters, digits and -`)
}

class PostgresStore<DB> implements Store<DB> {
  readonly db: Kysely<DB>
  readonly longReads: Kysely<DB>
  /** What the server keeps is its own to look after. */
  readonly unsound = new Promise<DriverError>(() => {})
  readonly #name: string
  readonly #sessions: Sessions
  readonly #pools: { readonly writing: Pool; readonly reading: Pool; readonly readingLong: Pool }
  readonly #reads: Attempts
  readonly #transactions: Transactions
  readonly #callbacks = new CommitCallbacks<DB>()
  readonly #bells: DistantBells
  readonly #running = new Set<Promise<unknown>>()
  readonly #probe: WriteProbe
  #closed = false

  constructor(address: PostgresAddress, name: string) {
    const sessions = new Sessions(address, name)
    const pool = (purpose: Purpose, most: number) => new Pool({ store: name, most, open: () => sessions.open(purpose) })
    const readers = Math.max(1, Math.floor(address.connections * READERS_SHARE))
    const longReaders = Math.max(1, Math.floor(address.connections * LONG_READERS_SHARE))
    // what can be read tells nothing of what can be written: each is told at once when it has been away for long enough
    const attempts = (awayMs?: number) =>
      new Attempts({ clock: systemClock, random: Math.random, ...(awayMs !== undefined && { awayMs }) })
    const common = { store: name, clock: systemClock }
    this.#reads = attempts()
    this.#name = name
    this.#sessions = sessions
    this.#pools = {
      writing: pool(WRITING, address.connections - readers - longReaders),
      reading: pool(READING, readers),
      readingLong: pool(READING_LONG, longReaders),
    }
    this.#bells = new DistantBells(name, () => sessions.open(READING))
    this.#transactions = new Transactions({ ...common, attempts: attempts(), pool: this.#pools.writing })
    const probing = attempts(PROBE_AWAY_MS)
    const reader = (pool: Pool) =>
      readingKysely<DB>(new PostgresReader({ ...common, attempts: this.#reads, pool }), POSTGRES_PARTS)
    this.db = reader(this.#pools.reading)
    this.longReads = reader(this.#pools.readingLong)
    this.#probe = new WriteProbe({
      clock: systemClock,
      // of no use to anybody else, since the store's own lock is taken around migrations
      write: () =>
        this.#while(() => {
          const touch = (trx: Transaction<DB>) =>
            sql`update kysely_migration_lock set is_locked = is_locked`.execute(trx)
          return this.#transactions.run(touch, {}, probing)
        }),
    })
  }

  /** Brings the tables up to date, one process after the other. */
  async migrate(migrations: StoreOptions['migrations']): Promise<void> {
    // who is refused here is refused at once
    await this.#pools.reading.use(async () => {})
    const transaction = <T>(work: (trx: Transaction<DB>) => Promise<T>) => migrating(this.#sessions, this.#name, work)
    await migrate<DB>({ db: this.db, transaction }, this.#name, migrations)
  }

  transaction<T>(work: (trx: Transaction<DB>) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#while(() => this.#transact(work, options))
  }

  /** Runs a transaction that closing waits for. */
  #while<T>(transact: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      return Promise.reject(new DriverError('closed', 'the store is closed; no transaction can start'))
    }
    if (this.#running.size >= MOST_TRANSACTIONS) {
      const message = `${MOST_TRANSACTIONS} transactions are waiting already; try again later`
      return Promise.reject(new DriverError('unavailable', message))
    }
    const running = transact()
    this.#running.add(running)
    const over = () => this.#running.delete(running)
    running.then(over, over)
    return running
  }

  async #transact<T>(work: (trx: Transaction<DB>) => Promise<T>, options: TransactionOptions): Promise<T> {
    const { result, trx } = await this.#transactions.run(async (trx: Transaction<DB>) => {
      this.#callbacks.begin(trx)
      return { result: await work(trx), trx }
    }, options)
    this.#callbacks.committed(trx)
    return result
  }

  afterCommit(trx: Transaction<DB>, callback: () => void): void {
    this.#callbacks.add(trx, callback)
  }

  ring(bell: string): void {
    if (!this.#closed) this.#bells.ring(bell)
  }

  onRing(bell: string, callback: () => void): () => void {
    return this.#bells.onRing(bell, callback)
  }

  async check(signal: AbortSignal): Promise<void> {
    const late = (what: string) =>
      new DriverError('unavailable', `${this.#name} store: ${what}`, { cause: signal.reason })
    if (signal.aborted) throw late('no time left to ask it')
    const { promise: fired, reject } = Promise.withResolvers<never>()
    // it is tried again meanwhile: what it was in vain by says more
    const onAbort = () => reject(this.#reads.lastLoss ?? late('its server does not answer'))
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([fired, sql`select 1`.execute(this.db)])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  checkWrites(): Promise<void> {
    return this.#probe.check()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
    await Promise.all([this.#bells, ...Object.values(this.#pools)].map((part) => part.close()))
  }
}
