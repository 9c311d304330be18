import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { Clock } from '../../drivers/clock.ts'
import type { Outbox, OutboxTable } from './messaging.ts'
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
export interface OutboxOptions {
  readonly service: string
  readonly clock: Clock
  /** Told of each event written, though its transaction isn't committed yet. */
  readonly onAdd: () => void
}

/** The writing half of the transactional outbox (Richardson, Microservices Patterns, 2018); outbox-relay.ts is the sending one. */
export function createOutbox<DB extends OutboxTable>({ service, clock, onAdd }: OutboxOptions): Outbox<DB> {
  const nextPosition = createPositions(clock)
  return {
    async add(trx, event) {
      const { id, topic, text } = encodeOutgoing(event, service, clock)
      const createdAt = new Date(clock.now()).toISOString()
      await sql`insert into outbox (id, position, topic, event, created_at)
        values (${id}, ${nextPosition()}, ${topic}, ${text}, ${createdAt}) on conflict (id) do nothing`.execute(trx)
      onAdd()
    },
  }
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
