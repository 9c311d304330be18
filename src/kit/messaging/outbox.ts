import { isDeepStrictEqual } from 'node:util'
import { sql, type Transaction } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { AppError } from '../errors.ts'
import type { Outbox, OutboxTable, OutgoingEvent } from './messaging.ts'
import { encodeOutgoing } from './outgoing-event.ts'

/**
 * The outbox's table. Add it to the migrations of a store whose database type extends OutboxTable.
 * @example const migrations = { '2026-01-01-orders': orders, '2026-01-02-outbox': outboxMigration }
 */
export const outboxMigration: Migration = {
  async up(db) {
    await db.schema
      .createTable('outbox')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('position', 'bigint', (column) => column.notNull())
      .addColumn('topic', 'text', (column) => column.notNull())
      .addColumn('event', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('outbox_position').on('outbox').column('position').execute()
  },
  async down(db) {
    await db.schema.dropTable('outbox').execute()
  },
}

/** What an outbox works with. */
export interface OutboxOptions<DB extends OutboxTable> {
  readonly store: Pick<Store<DB>, 'afterCommit'>
  readonly service: string
  readonly clock: Clock
  /** Told of each event once its transaction is committed. */
  readonly onCommitted: () => void
}

/** The writing half of the transactional outbox (Richardson, Microservices Patterns, 2018); outbox-relay.ts is the sending one. */
export function createOutbox<DB extends OutboxTable>(options: OutboxOptions<DB>): Outbox<DB> {
  const { store, service, clock, onCommitted } = options
  const nextPosition = createPositions(clock)
  return {
    async add(trx, event) {
      const { id, topic, text } = encodeOutgoing(event, service, clock)
      const createdAt = new Date(clock.now()).toISOString()
      const { numAffectedRows } = await sql`insert into outbox (id, position, topic, event, created_at)
        values (${id}, ${nextPosition()}, ${topic}, ${text}, ${createdAt}) on conflict (id) do nothing`.execute(trx)
      if (numAffectedRows === 0n) await wantSame(trx, id, event)
      store.afterCommit(trx, onCommitted)
    },
  }
}

/** Adding an event again is harmless; another one under its id would be lost without a word. */
async function wantSame<DB extends OutboxTable>(
  trx: Transaction<DB>,
  id: string,
  { type, data }: OutgoingEvent,
): Promise<void> {
  const { rows } = await sql<{ event: string }>`select event from outbox where id = ${id}`.execute(trx)
  const waiting: unknown = JSON.parse(rows[0]?.event ?? 'null')
  if (isDeepStrictEqual(waiting, { ...Object(waiting), type, data: JSON.parse(JSON.stringify(data ?? null)) })) return
  throw new AppError('CONFLICT', `Another event with the id ${id} waits in the outbox: ${type} needs an id of its own`)
}

/**
 * Growing numbers, one for each event: the wall clock's milliseconds with room for 1 000 events each, never falling back within a process.
 * So they keep their order across restarts, and no database needs a sequence for them.
 */
function createPositions(clock: Clock): () => number {
  let last = 0
  return () => {
    last = Math.max(last + 1, clock.now() * 1_000)
    return last
  }
}
