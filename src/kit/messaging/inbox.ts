import { hash } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import type { Migration } from 'kysely/migration'
import { type Clock, systemClock } from '../../drivers/clock.ts'
import type { Isolation, Store } from '../../drivers/store/contract.ts'
import { AppError } from '../errors.ts'
import type { InboxTable, IncomingEvent } from './messaging.ts'

/** How long a handled event's id is remembered at least, in milliseconds by the wall clock: 7 days. */
export const INBOX_MEMORY_MS = 7 * 24 * 3_600_000
/** How many of the newest ids are remembered, however old a clock that jumps makes them. */
export const INBOX_MEMORY_EVENTS = 10_000
/** Old ids are dropped on one event in this many, at most `PRUNE_ROWS` at a time: faster than they come. */
const PRUNE_EVERY = 64
const PRUNE_ROWS = 500

/**
 * The inbox's table. Add it to the migrations of a store whose database type extends InboxTable.
 * @example const migrations = { '2026-01-01-payments': payments, '2026-01-02-inbox': inboxMigration }
 */
export const inboxMigration: Migration = {
  async up(db) {
    await db.schema
      .createTable('inbox')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('handled_at', 'text', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('inbox_handled_at').on('inbox').column('handled_at').execute()
  },
  async down(db) {
    await db.schema.dropTable('inbox').execute()
  },
}

/** Notes what each event said. Add it after `inboxMigration`. */
export const inboxContentMigration: Migration = {
  async up(db) {
    await db.schema.alterTable('inbox').addColumn('content', 'text').execute()
  },
}

/**
 * The inbox's table at once, for a store that never had an older one.
 * @example const migrations = { '2026-01-01-payments': payments, '2026-01-02-inbox': inboxTables }
 */
export const inboxTables: Migration = {
  async up(db) {
    await inboxMigration.up(db)
    await inboxContentMigration.up(db)
  },
}

/** Where handled events are remembered. */
export interface OnceOptions<DB extends InboxTable> {
  readonly store: Pick<Store<DB>, 'transaction'>
  /** Default: the system's. */
  readonly clock?: Clock
  /** What the work relies on. Default `serializable`. */
  readonly isolation?: Isolation
}

/**
 * Runs `work` in a transaction unless the event was handled before, and remembers in the same one that it was: a message
 * delivered many times has one effect (idempotent consumer; Richardson, Microservices Patterns, 2018). A throw undoes both.
 * @returns true when `work` ran, false for an event handled before
 * Throws AppError `UNPROCESSABLE` for one that has the id of an event handled before and says something else: no copy of it, though somebody
 * takes it for one.
 * @example await once({ store }, event, async (trx) => { await pay(trx, event) })
 */
export function once<DB extends InboxTable>(
  { store, clock = systemClock, isolation = 'serializable' }: OnceOptions<DB>,
  event: Pick<IncomingEvent, 'id' | 'topic' | 'payload'>,
  work: (trx: Transaction<DB>) => Promise<void>,
): Promise<boolean> {
  return store.transaction(
    async (trx) => {
      const now = clock.now()
      const content = digest(event)
      const { numAffectedRows } = await sql`insert into inbox (id, handled_at, content)
      values (${event.id}, ${new Date(now).toISOString()}, ${content}) on conflict (id) do nothing`.execute(trx)
      if (numAffectedRows === 0n) {
        await wantSame(trx, event, content)
        return false
      }
      if (isDrawn(event.id)) await prune(trx, now)
      await work(trx)
      return true
    },
    { isolation },
  )
}

/** Of an event from before contents were noted any copy is as good. */
async function wantSame<DB extends InboxTable>(
  trx: Transaction<DB>,
  { id, topic }: Pick<IncomingEvent, 'id' | 'topic'>,
  content: string,
): Promise<void> {
  const { rows } = await sql<{ content: string | null }>`select content from inbox where id = ${id}`.execute(trx)
  const before = rows[0]?.content ?? content
  if (before === content) return
  throw new AppError(
    'UNPROCESSABLE',
    `An event with the id ${id} was handled before and said something else than this one on ${topic}; it needs an id of its own`,
  )
}

function digest({ topic, payload }: Pick<IncomingEvent, 'topic' | 'payload'>): string {
  return hash('sha256', JSON.stringify([topic, payload]), 'base64url')
}

async function prune<DB extends InboxTable>(trx: Transaction<DB>, now: number): Promise<void> {
  const oldest = new Date(now - INBOX_MEMORY_MS).toISOString()
  await sql`delete from inbox where id in
    (select id from inbox where handled_at < ${oldest} and handled_at <
      (select handled_at from inbox order by handled_at desc limit 1 offset ${INBOX_MEMORY_EVENTS})
    order by handled_at limit ${PRUNE_ROWS})`.execute(trx)
}

/** Picks one id in PRUNE_EVERY, always the same ones: no state, no chance. */
function isDrawn(id: string): boolean {
  let sum = 0
  for (let at = 0; at < id.length; at++) sum = (sum * 31 + id.charCodeAt(at)) >>> 0
  return sum % PRUNE_EVERY === 0
}
