import { setTimeout as sleep } from 'node:timers/promises'
import type { Transaction } from 'kysely'
import type pg from 'pg'
import type { Clock } from '../../clock.ts'
import { DriverError } from '../../driver-error.ts'
import type { Isolation, TransactionOptions } from '../contract.ts'
import { workingTransaction } from '../kysely-face.ts'
import type { Attempts } from './attempts.ts'
import { meaningOf, serverFault, toDriverError } from './errors.ts'
import { POSTGRES_PARTS } from './kysely-parts.ts'
import type { Pool } from './pool.ts'
import type { Session } from './sessions.ts'
import { type SharedOutcome, SharedWorks } from './shared-works.ts'
import { Turns } from './turns.ts'
import { StatementNames } from './values.ts'
import { WorkConnection } from './work-connection.ts'

/** Takes a number for the transaction at once, by which its outcome can be asked for when the answer to COMMIT never comes. */
const XID = 'select pg_current_xact_id()::text as xid'
const BEGIN: Readonly<Record<Isolation, string>> = {
  serializable: `begin isolation level serializable; ${XID}`,
  committed: `begin isolation level read committed; ${XID}`,
  shared: `begin isolation level read committed; ${XID}`,
  loose: `begin isolation level read committed; set local synchronous_commit = off; ${XID}`,
}
/** Milliseconds to find out what became of it, and between two questions while the old connection's process is still at it. */
const DOUBT_MS = 5_000
const ASK_AGAIN_MS = 50
/** "Transaction ID is in the future": the server has restarted and lost what was not on disk. */
const NEVER_HEARD_OF = '22023'

/** What transactions work with. */
export interface TransactionsOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly attempts: Attempts
  /** For messages. */
  readonly store: string
  /** Of connections that write. */
  readonly pool: Pool
}

/** Makes one more face of a transaction: what asks through it is answered in turn. */
type Open = <DB>() => Transaction<DB>

/** Works that were run, and committed or not known to be. */
interface Ran<T> {
  readonly result: T
  /** Set where COMMIT was not answered. */
  readonly doubt?: { readonly xid: string; readonly run: string; readonly cause: unknown }
}

/**
 * Transactions of one store, serializable (Ports and Grittner, "Serializable Snapshot Isolation in PostgreSQL", 2012): one that can't have come before or
 * after another runs again, as does one whose connection was lost.
 */
export class Transactions {
  readonly #options: TransactionsOptions
  readonly #names = new StatementNames()
  readonly #turns = new Turns()
  readonly #shared = new SharedWorks<Open>((works) => this.#together(works))

  constructor(options: TransactionsOptions) {
    this.#options = options
  }

  /**
   * Runs `work` in a transaction and resolves with its value once that is committed. Rejects with what it threw, or with DriverError: `unavailable` also where
   * nobody can say any more whether it was committed.
   * @param attempts how often it is tried. Default: as those of all
   */
  run<DB, T>(
    work: (trx: Transaction<DB>) => Promise<T>,
    { isolation = 'serializable' }: TransactionOptions = {},
    attempts: Attempts = this.#options.attempts,
  ): Promise<T> {
    const inIt = (open: Open) => work(open<DB>())
    // one that met others twice would go on to, where all of them want the same row
    const alone = () =>
      attempts.run((conflicts) => this.#turns.run(conflicts > 1, () => this.#attempt(inIt, BEGIN[isolation])))
    return isolation === 'shared' ? this.#shared.run(inIt, alone) : alone()
  }

  /** Runs works in one transaction. Throws DriverError where nobody can say what became of them, or the server is away. */
  #together(works: readonly ((open: Open) => Promise<void>)[]): Promise<SharedOutcome> {
    const { attempts, clock, pool, store } = this.#options
    return this.#turns.run(false, async () => {
      const began = clock.monotonic()
      try {
        const perform = (open: Open) => Promise.all(works.map((work) => work(open)))
        const { doubt } = await pool.use((session) => this.#work(session, perform, BEGIN.shared))
        return !doubt || (await this.#wasCommitted(doubt)) ? 'committed' : 'held up'
      } catch (error) {
        if (attempts.mayRunAgain(error, began)) return 'held up'
        if (!(error instanceof WorkFault)) throw toDriverError(error, store)
        // what ails a work it hears when it runs alone
        return error.cause instanceof DriverError && error.cause.kind === 'unavailable' ? 'held up' : 'failed'
      }
    })
  }

  async #attempt<T>(perform: (open: Open) => Promise<T>, begin: string): Promise<T> {
    const { pool, store } = this.#options
    try {
      const { result, doubt } = await pool.use((session) => this.#work(session, perform, begin))
      if (doubt && !(await this.#wasCommitted(doubt))) throw doubt.cause
      return result
    } catch (error) {
      // what the work threw is its caller's
      throw error instanceof WorkFault ? error.cause : toDriverError(error, store)
    }
  }

  async #work<T>({ client, run }: Session, perform: (open: Open) => Promise<T>, begin: string): Promise<Ran<T>> {
    const begun = (await client.query(begin)) as unknown as readonly pg.QueryResult<{ xid: string }>[]
    const xid = begun.at(-1)?.rows[0]?.xid ?? ''
    const connections: WorkConnection[] = []
    const open = <DB>() => {
      const connection = new WorkConnection(client, this.#names, this.#options.store)
      connections.push(connection)
      return workingTransaction<DB>(connection, POSTGRES_PARTS)
    }
    const end = async () => {
      await Promise.all(connections.map((connection) => connection.end()))
      const faults = connections.flatMap(({ fault }) => fault ?? [])
      // where several share it, only one of them may hear why it is of no use any more
      return faults.find((fault) => meaningOf(fault) !== 'final') ?? faults[0]
    }
    let result: T
    try {
      result = await perform(open)
      const fault = await end()
      // a work that went on after a query had failed
      if (fault) throw fault
    } catch (thrown) {
      const fault = await end()
      if (fault && meaningOf(fault) === 'lost') throw fault
      await client.query('rollback')
      throw fault && meaningOf(fault) === 'conflicts' ? fault : new WorkFault('a work failed', { cause: thrown })
    }
    try {
      await client.query('commit')
      return { result }
    } catch (cause) {
      if (meaningOf(cause) !== 'lost') throw cause
      return { result, doubt: { xid, run, cause } }
    }
  }

  /**
   * Asks what became of a transaction. A server that has lost what wasn't on disk yet gives its number out again: of another run only a no is believed.
   * Throws DriverError `unavailable` where it can't be found out.
   */
  async #wasCommitted({ xid, run, cause }: NonNullable<Ran<unknown>['doubt']>): Promise<boolean> {
    const { clock, store } = this.#options
    const until = clock.monotonic() + DOUBT_MS
    while (clock.monotonic() < until) {
      const found = await this.#statusOf(xid).catch(() => undefined)
      if (found?.status === 'aborted') return false
      if (found?.status === 'committed' && found.run === run) return true
      if (found && found.status !== 'in progress') break
      await sleep(ASK_AGAIN_MS)
    }
    const message =
      'the server went away in the middle of a commit; what was asked for may be done or not: look before asking again'
    throw new DriverError('unavailable', `${store} store: ${message}`, {
      cause: new Error('COMMIT was not answered', { cause }),
    })
  }

  #statusOf(xid: string): Promise<{ readonly status: string | null; readonly run: string }> {
    return this.#options.pool.use(async ({ client, run }) => {
      try {
        const asked = await client.query<{ status: string | null }>('select pg_xact_status($1::xid8) as status', [xid])
        return { status: asked.rows[0]?.status ?? null, run }
      } catch (error) {
        if (serverFault(error)?.code === NEVER_HEARD_OF) return { status: 'aborted', run }
        throw error
      }
    })
  }
}

/** Carries what a work threw past all that looks at the store's own faults. */
class WorkFault extends Error {}
