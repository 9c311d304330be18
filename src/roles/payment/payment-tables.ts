import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { inboxContentMigration, inboxMigration } from '../../kit/messaging/inbox.ts'
import type { InboxTable, OutboxTable } from '../../kit/messaging/messaging.ts'
import { outboxMigration, outboxPartsMigration } from '../../kit/messaging/outbox.ts'
import type { PaymentStatus } from './contract.ts'

/** The payment service's database. */
export interface PaymentTables extends OutboxTable, InboxTable {
  payments: {
    id: string
    /** Whose the order is: the person who placed it; null for an order of nobody's, and for payments from before this was noted. */
    owner: string | null
    order_id: number
    /** Unique: an order is charged once, ever. Its UUID; `order 7` for one whose event told none. */
    order_key: string
    user_id: number
    amount_cents: number
    status: PaymentStatus
    /** Why it failed; null for one that didn't, and for one from before this was noted. */
    reason: string | null
    created_at: string
  }
  /** Orders that were cancelled, and are not to be charged. */
  cancellations: { order_key: string; created_at: string }
}

const payments: Migration = {
  async up(db) {
    await db.schema
      .createTable('payments')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('order_id', 'bigint', (column) => column.notNull().unique())
      .addColumn('user_id', 'bigint', (column) => column.notNull())
      .addColumn('amount_cents', 'bigint', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute()
  },
}

const owners: Migration = {
  async up(db) {
    await db.schema.alterTable('payments').addColumn('owner', 'text').execute()
    await db.schema.createIndex('payments_owner').on('payments').columns(['owner', 'id']).execute()
  },
}

/** Payments went by the order's number, which an order database restored from a copy gives out again. A new table: SQLite drops no constraint. */
const orderKeys: Migration = {
  async up(db) {
    await db.schema
      .createTable('payments_by_key')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('owner', 'text')
      .addColumn('order_id', 'bigint', (column) => column.notNull())
      .addColumn('order_key', 'text', (column) => column.notNull().unique())
      .addColumn('user_id', 'bigint', (column) => column.notNull())
      .addColumn('amount_cents', 'bigint', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute()
    await sql`insert into payments_by_key (id, owner, order_id, order_key, user_id, amount_cents, status, created_at)
      select id, owner, order_id, 'order ' || order_id, user_id, amount_cents, status, created_at from payments`.execute(
      db,
    )
    await db.schema.dropTable('payments').execute()
    await db.schema.alterTable('payments_by_key').renameTo('payments').execute()
    await db.schema.createIndex('payments_owner').on('payments').columns(['owner', 'id']).execute()
    await db.schema.createIndex('payments_order').on('payments').columns(['order_id', 'id']).execute()
  },
}

const cancellations: Migration = {
  async up(db) {
    await db.schema
      .createTable('cancellations')
      .addColumn('order_key', 'text', (column) => column.primaryKey())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute()
  },
}

const reasons: Migration = {
  async up(db) {
    await db.schema.alterTable('payments').addColumn('reason', 'text').execute()
  },
}

/** The payment service's tables. */
export const paymentMigrations: Readonly<Record<string, Migration>> = {
  '2026-01-01-payments': payments,
  '2026-01-02-outbox': outboxMigration,
  '2026-01-03-inbox': inboxMigration,
  '2026-11-26-owners': owners,
  '2026-11-27-order-keys': orderKeys,
  '2026-11-27-inbox-content': inboxContentMigration,
  '2026-11-27-cancellations': cancellations,
  '2026-11-27-reasons': reasons,
  '2026-11-28-outbox-parts': outboxPartsMigration,
}
