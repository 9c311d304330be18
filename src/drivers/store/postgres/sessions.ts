import type { ConnectionOptions } from 'node:tls'
import pg from 'pg'
import { DriverError } from '../../driver-error.ts'
import type { PostgresAddress } from './address.ts'
import { READ_ONLY, serverFault, toDriverError } from './errors.ts'
import { tlsAttempts } from './tls.ts'
import { SAME_VALUES } from './values.ts'

/** The oldest server that has all that is used here: `pg_current_xact_id` came with it. */
const OLDEST = 13
/** The one that the tests run. */
const TESTED = 15
/** Milliseconds that a statement waits for a lock of others, and that a transaction may stand still. */
const LOCK_MS = 3_000
const STANDSTILL_MS = 5_000
/** Milliseconds after its own limit at which a statement counts as one that is never answered: the server stands still, or the wire is cut. */
const UNANSWERED_MS = 2_000
/** Milliseconds that a server has to say good-bye. */
const FAREWELL_MS = 500
/** Milliseconds of silence after which the kernel asks whether the other end is there. */
const KEEP_ALIVE_MS = 10_000

/** What a connection is for. */
export interface Purpose {
  /** Refuses to write. */
  readonly readOnly: boolean
  /** Milliseconds that a statement may take. */
  readonly statementMs: number
}

/** An open connection. */
export interface Session {
  readonly client: pg.Client
  /** The run of the server: another one after each of its restarts, crashes and failovers. */
  readonly run: string
}

interface Greeting {
  readonly version: number
  readonly standby: boolean
  readonly run: string
}

// A crash that the server mends without a restart of its own begins its counters anew.
const GREETING = `select current_setting('server_version_num')::int as version, pg_is_in_recovery() as standby,
  pg_postmaster_start_time()::text || ' ' || coalesce((select stats_reset::text from pg_stat_bgwriter), '') as run`

/** Opens connections to one server, in the schema of one service. */
export class Sessions {
  readonly #address: PostgresAddress
  readonly #store: string
  readonly #tls: readonly (ConnectionOptions | false)[]

  /** @param store the service's name, which its schema has too. Throws DriverError `invalid` for a file of the address that can't be read. */
  constructor(address: PostgresAddress, store: string) {
    this.#address = address
    this.#store = store
    this.#tls = tlsAttempts(address.tls)
  }

  /** Opens one. Rejects with DriverError, its cause what node-postgres said. */
  async open(purpose: Purpose): Promise<Session> {
    let refusal: unknown
    for (const ssl of this.#tls) {
      try {
        return await this.#greet(await this.#connect(purpose, ssl), purpose)
      } catch (error) {
        refusal = error
        if (!isAboutTls(error)) break
      }
    }
    throw this.#explained(refusal)
  }

  async #connect({ readOnly, statementMs }: Purpose, ssl: ConnectionOptions | false): Promise<pg.Client> {
    const { host, port, user, password, database, connectMs } = this.#address
    const client = new pg.Client({
      host,
      port,
      ...(user !== undefined && { user }),
      ...(password !== undefined && { password }),
      ...(database !== undefined && { database }),
      ssl,
      types: SAME_VALUES,
      application_name: `msvc/${this.#store}`,
      options: `-c search_path="${this.#store}"${readOnly ? ' -c default_transaction_read_only=on' : ''}`,
      connectionTimeoutMillis: connectMs,
      statement_timeout: statementMs,
      query_timeout: statementMs + UNANSWERED_MS,
      lock_timeout: LOCK_MS,
      // works that share a transaction ask without waiting for each other's answers
      pipeline: !readOnly,
      idle_in_transaction_session_timeout: STANDSTILL_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    })
    // what ends while nobody asks it anything is heard of by whoever asks it next
    client.on('error', () => {})
    try {
      await client.connect()
      return client
    } catch (error) {
      void endQuietly(client)
      throw error
    }
  }

  async #greet(client: pg.Client, { readOnly }: Purpose): Promise<Session> {
    try {
      const { rows } = await client.query<Greeting>(GREETING)
      const [{ version = 0, standby = false, run = '' } = {}] = rows
      wantVersion(version, this.#store)
      if (standby && !readOnly) throw Object.assign(new Error('a standby'), { code: READ_ONLY, severity: 'ERROR' })
      return { client, run }
    } catch (error) {
      await endQuietly(client)
      throw error
    }
  }

  #explained(error: unknown): DriverError {
    const first = error instanceof AggregateError ? error.errors[0] : error
    if (first instanceof DriverError || serverFault(first)) return toDriverError(first, this.#store)
    // callers see this, who needn't know where it is
    return new DriverError('unavailable', `${this.#store} store: its server can't be reached`, { cause: first })
  }
}

/** Throws DriverError `invalid` for a server that is too old. @param version as `server_version_num` says it: 150018 for 15.18 */
export function wantVersion(version: number, store: string): void {
  const major = Math.floor(version / 10_000)
  if (major >= OLDEST) return
  throw new DriverError(
    'invalid',
    `${store} store: the server is PostgreSQL ${major}, which is too old: ${OLDEST} or newer is wanted (${TESTED} is tested)`,
  )
}

/** Ends a connection, whatever state it and its server are in. Never rejects. */
export async function endQuietly(client: pg.Client): Promise<void> {
  const late = setTimeout(() => client.connection.stream.destroy(), FAREWELL_MS)
  await client.end().catch(() => {})
  clearTimeout(late)
}

/** Whether the other way, with TLS or without, may be taken. */
function isAboutTls(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    error.message.includes('does not support SSL') ||
    (serverFault(error)?.code === '28000' && /encryption|SSL/.test(error.message))
  )
}
