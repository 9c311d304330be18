import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '../../driver-error.ts'
import type { SnapshotOptions, StoreSnapshot } from '../contract.ts'
import { readingKysely } from '../kysely-face.ts'
import { toDriverError } from './errors.ts'
import { POSTGRES_PARTS } from './kysely-parts.ts'
import { endQuietly, type Session, type Sessions } from './sessions.ts'
import { StatementNames } from './values.ts'
import { WorkConnection } from './work-connection.ts'

/** Milliseconds that one statement on a snapshot may take, such as counting a large table. */
const STATEMENT_MS = 600_000

/** Whether others are looked for again, and after how many milliseconds. */
const MOST_LOOKS = 10
const LOOK_MS = 200
const OTHERS = `select 1 from pg_stat_activity
  where datname = current_database() and application_name = current_setting('application_name') and pid <> pg_backend_pid()`

interface Found {
  readonly schema: boolean
  /** Whether this user may make the schema, or tables in it. */
  readonly may: boolean
  readonly user: string
}

const LOOK = `select count(*) > 0 as schema, current_user as user,
    coalesce(bool_and(has_schema_privilege(nspname, 'create')), has_database_privilege(current_database(), 'create')) as may
  from pg_namespace where nspname = $1`

/**
 * Reads the schema of a store as it is now, in one transaction that only reads; undefined where it is not there.
 * Rejects with DriverError.
 */
export async function readSchema(
  sessions: Sessions,
  store: string,
  { toFill = false, alone = false }: SnapshotOptions,
): Promise<StoreSnapshot | undefined> {
  const session = await sessions.open({ readOnly: true, statementMs: STATEMENT_MS })
  try {
    const { schema, may, user } = await look(session, store)
    if (toFill && !may) {
      const what = schema ? `make tables in the schema "${store}"` : `make the schema "${store}"`
      const advice = `as the owner: create schema "${store}" authorization "${user}"`
      throw new DriverError('invalid', `${store} store: the user "${user}" may not ${what} in that database; ${advice}`)
    }
    if (alone) await wantAlone(session, store)
    if (!schema) {
      await endQuietly(session.client)
      return undefined
    }
    await session.client.query('begin isolation level repeatable read, read only')
    await session.client.query('set local idle_in_transaction_session_timeout = 0')
  } catch (error) {
    await endQuietly(session.client)
    throw toDriverError(error, store)
  }
  const connection = new WorkConnection(session.client, new StatementNames(), store)
  const db = readingKysely<unknown>(connection, POSTGRES_PARTS)
  return { db, close: () => endQuietly(session.client) }
}

/** A connection that was just closed the server may still count. */
async function wantAlone({ client }: Session, store: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { rows } = await client.query(OTHERS)
    if (rows.length === 0) return
    if (attempt >= MOST_LOOKS) break
    await sleep(LOOK_MS)
  }
  const message = 'a process of a platform has it open: stop that platform, or name another database'
  throw new DriverError('unavailable', `${store} store: ${message}`)
}

async function look({ client }: Session, store: string): Promise<Found> {
  const { rows } = await client.query<Found>(LOOK, [store])
  return rows[0] ?? { schema: false, may: false, user: '' }
}
