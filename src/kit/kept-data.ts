import type { Kysely, Transaction } from 'kysely'
import type { Store, StoreOptions } from '../drivers/store/contract.ts'

/** A row, by its columns. */
export type KeptRow = Readonly<Record<string, unknown>>

/** The values of a row's key, in the order of its columns. */
export type RowKey = readonly unknown[]

/**
 * Rows that are moved together from one store to another: those of a table that is the same everywhere, or what a service keeps differently in each kind of
 * database, said in the same columns. All methods reject with DriverError.
 */
export interface Collection {
  /** Of the table, mostly. */
  readonly name: string
  /** The columns by which rows are told apart, and read in order. */
  readonly key: readonly string[]
  count(db: Kysely<unknown>): Promise<number>
  /** Up to `limit` rows behind a key, in its order. */
  read(
    db: Kysely<unknown>,
    options: { readonly after?: RowKey | undefined; readonly limit: number },
  ): Promise<readonly KeptRow[]>
  /** The rows with these keys, as far as they are there. */
  find(db: Kysely<unknown>, keys: readonly RowKey[]): Promise<readonly KeptRow[]>
  /** What must be done before rows are written, outside of a transaction. Default nothing. */
  prepare?(store: Store<unknown>, rows: readonly KeptRow[]): Promise<void>
  /** Adds rows, in the place of those that have the same keys. */
  write(trx: Transaction<unknown>, rows: readonly KeptRow[]): Promise<void>
  /** Takes rows away; keys that are not there are passed over. */
  remove(trx: Transaction<unknown>, keys: readonly RowKey[]): Promise<void>
  /** Takes all rows away. */
  clear(trx: Transaction<unknown>): Promise<void>
}

/** How a kind of store keeps texts that it could not keep as they are, and gives them back. */
export interface TextForm {
  readonly kept: (text: string) => string
  readonly given: (text: string) => string
}

/** What a service keeps in its store, for who moves it. */
export interface KeptData {
  /** Those of its store; they leave tables empty. */
  readonly migrations: StoreOptions['migrations']
  /** In the place of the tables of these names. Default: all tables are moved as they are. */
  readonly collections?: readonly Collection[]
  /** The form of texts in the tables that are moved as they are, by what lies behind a store's Kysely. Default: as they are. */
  readonly texts?: (db: Kysely<unknown>) => TextForm
  /** Tables that are not moved, as they say something of the store that they are in. Default none. */
  readonly leaves?: readonly string[]
  /** What a platform with these settings won't make of it, a line each, for who moves it. Rejects with DriverError. Default nothing. */
  readonly remarks?: (db: Kysely<unknown>, settings: { readonly environment: string }) => Promise<readonly string[]>
}
