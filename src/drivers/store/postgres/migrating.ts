import type { Transaction } from 'kysely'
import type pg from 'pg'
import { workingTransaction } from '../kysely-face.ts'
import { toDriverError } from './errors.ts'
import { POSTGRES_PARTS } from './kysely-parts.ts'
import { endQuietly, type Sessions } from './sessions.ts'
import { StatementNames } from './values.ts'
import { WorkConnection } from './work-connection.ts'

/** Milliseconds that migrations may take, those of another process before them included. */
const MIGRATIONS_MS = 600_000

/**
 * Runs a work that changes a service's tables: in a transaction, under a lock that one process at a time has, and in its schema, which is made where it is missing.
 * Each of its statements sees what was committed before it, so that who waited for the lock sees what was done meanwhile.
 * Rejects with DriverError.
 */
export async function migrating<DB, T>(
  sessions: Sessions,
  store: string,
  work: (trx: Transaction<DB>) => Promise<T>,
): Promise<T> {
  const { client } = await sessions.open({ readOnly: false, statementMs: MIGRATIONS_MS })
  try {
    await client.query('begin isolation level read committed')
    await client.query(`set local lock_timeout = ${MIGRATIONS_MS}; set local idle_in_transaction_session_timeout = 0`)
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`msvc migrations of ${store}`])
    await wantSchema(client, store)
    const connection = new WorkConnection(client, new StatementNames(), store)
    const result = await work(workingTransaction<DB>(connection, POSTGRES_PARTS))
    await connection.end()
    if (connection.fault) throw connection.fault
    await client.query('commit')
    return result
  } catch (error) {
    throw toDriverError(error, store)
  } finally {
    // undoes what wasn't committed
    await endQuietly(client)
  }
}

/** Asks first: `if not exists` wants the right to make one even where it is there. */
async function wantSchema(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query('select 1 from pg_namespace where nspname = $1', [schema])
  if (rows.length === 0) await client.query(`create schema "${schema}"`)
}
