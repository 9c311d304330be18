import type { Kysely, Transaction } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { DriverError } from '../driver-error.ts'

/** What a store needs to open: where, and which tables. */
export interface StoreOptions {
  /** `sqlite:` (a file of its own in `folder`), or a server's URL such as `postgres://host:5432/db`. */
  readonly url: string
  /** The database's name; each service has its own. Letters, digits, `-`. */
  readonly name: string
  /** Where an embedded store keeps its file. Made (0700) when missing. */
  readonly folder: string
  /** Migrations by name, run in the order of their names before `open` resolves; each runs once. */
  readonly migrations: Readonly<Record<string, Migration>>
  /**
   * Given by a store whose content can be made anew: instead of refusing a damaged file, an embedded driver sets it aside, begins a new one, and says
   * so. One that turns out to be damaged while it is open is set aside when it is closed.
   */
  readonly onDamaged?: (what: string) => void
}

/**
 * What a transaction may rely on while others run:
 * - `serializable`: it behaves as if it ran before or after each other one.
 * - `committed`: each statement sees what was committed before it, and waits for who is changing what it changes: it never runs again for what others do. For upserts
 *   that many make of the same rows, and rows that stand for themselves.
 * - `shared`: as `committed`, and it may share a transaction, and so a commit and its round trips, with others that ask for the same at that time: it may see what these
 *   have written so far, and its statements may come between theirs. Where one of them fails, all of them run again, with fewer others or alone. For works that many ask for at
 *   once, each of whose statements is right whatever the others do before and after it: a new row, one that a unique constraint decides about, an update that
 *   says which state it expects.
 * - `loose`: as `committed`, and a crash of the server may lose what was written. For notes that nobody is told of, such as who
 *   is at what.
 *
 * An embedded store runs all of them one after the other.
 */
export type Isolation = 'serializable' | 'committed' | 'shared' | 'loose'

/**
 * How a transaction is run.
 * @example await store.transaction((trx) => note(trx, visit), { isolation: 'loose' })
 */
export interface TransactionOptions {
  /** Default `serializable`. */
  readonly isolation?: Isolation
}

/**
 * A service's own relational database. Every driver passes test/drivers/store-suite.ts.
 * All methods reject with DriverError: `unavailable`, `full`, `closed`; `conflict` for a broken unique constraint.
 * @example
 * const { name } = await store.db.selectFrom('products').select('name').where('id', '=', id).executeTakeFirstOrThrow()
 * await store.transaction(async (trx) => {
 *   await trx.updateTable('products').set({ stock: 0 }).where('id', '=', id).execute()
 *   store.afterCommit(trx, () => log.info(`${name} is sold out`))
 * })
 */
export interface Store<DB> {
  /**
   * For reads. Sees what is committed, never waits for a running transaction.
   * Writing through it is refused (`invalid`): a write belongs in `transaction`.
   */
  readonly db: Kysely<DB>
  /**
   * For reads that may take long, such as a search: like `db`, but nobody waits for them. A server has connections of their own for them; the embedded driver answers them one after the other in
   * a thread beside the event loop, which costs a tenth of a millisecond more, and has the SQL function `has_phrases` (full-text-words.ts) there.
   */
  readonly longReads: Kysely<DB>
  /**
   * Runs `work` all or nothing. When it resolves, the rows are on disk (fsync done). Transactions behave as if they ran one after the other,
   * those of other processes included, unless `options` let them promise less; a `work` that throws undoes only its own rows, and so does one whose query failed, even if it goes on.
   *
   * To keep that, `work` may be run more than once, and transactions asked for at the same time may share one commit and so one fsync. So it waits
   * for nothing but `trx`, and does nothing but read rows, write rows and give a result: what else is to happen belongs in `afterCommit`.
   */
  transaction<T>(work: (trx: Transaction<DB>) => Promise<T>, options?: TransactionOptions): Promise<T>
  /**
   * Calls back when a transaction is committed and its rows can be read, before `transaction` resolves; never when it is undone. To be called by its
   * work: what that does besides reading and writing rows belongs here, such as ringing for whoever waits for them.
   * The callback must not throw. Throws DriverError `closed` for a transaction that is over.
   */
  afterCommit(trx: Transaction<DB>, callback: () => void): void
  /**
   * Rings a bell, so that who waits for rows need not look again and again: to be called once they are committed. It is heard in every process that has
   * the store open, in this one at once; of an embedded store in this one alone. Rings may go together, and one may get lost.
   */
  ring(bell: string): void
  /** Calls back at each ring of a bell, and when one may have been missed, until what is returned is called or the store is closed. */
  onRing(bell: string, callback: () => void): () => void
  /**
   * Resolves with why the store must be opened anew: its file turned out to be damaged, or another lies in its place. From then on nothing is
   * written, and `check` fails. Never for one that is no file.
   */
  readonly unsound: Promise<DriverError>
  /** Resolves when the store answers before `signal` fires; for health. */
  check(signal: AbortSignal): Promise<void>
  /** Resolves when the store takes writes, as it did at most 1 s ago; for health. */
  checkWrites(): Promise<void>
  /** Finishes what runs, refuses what comes, closes. May be called twice. */
  close(): Promise<void>
}

/** Where a store is, for who only reads it. */
export type StorePlace = Pick<StoreOptions, 'url' | 'name' | 'folder'>

/** What is asked of a store that is looked at. */
export interface SnapshotOptions {
  /** Whether it can be made and written to; only a server may say no (`invalid`). */
  readonly toFill?: boolean
  /** Whether nobody has it open: else `unavailable`. Of an embedded one the locks in its folder tell. */
  readonly alone?: boolean
}

/** A store's tables as they were at one instant, whatever is written to them since. */
export interface StoreSnapshot {
  /** For reads. Queries are answered one after the other. */
  readonly db: Kysely<unknown>
  /** Lets the instant go. May be called twice. */
  close(): Promise<void>
}

/** Opens stores of one URL scheme. */
export interface StoreDriver {
  /** With its colon, lower case: `sqlite:`. */
  readonly scheme: string
  /** Throws DriverError `invalid` for a URL that no service could use; asks nobody. */
  checkUrl(url: string): void
  /**
   * Reads a store that is there, and changes nothing about it; undefined where nothing was made yet.
   * Rejects with DriverError, as `open` does.
   */
  snapshot(place: StorePlace, options?: SnapshotOptions): Promise<StoreSnapshot | undefined>
  /** Resolves once the tables are up to date. Rejects with DriverError: `invalid` for a wrong URL, name or migration, `damaged`, `unavailable`, `full`. */
  open<DB>(options: StoreOptions): Promise<Store<DB>>
}
