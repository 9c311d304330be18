import type { Migration } from 'kysely/migration'
import { inboxMigration } from '../../kit/messaging/inbox.ts'
import type { InboxTable, OutboxTable } from '../../kit/messaging/messaging.ts'
import { outboxMigration } from '../../kit/messaging/outbox.ts'
import type { PaymentStatus } from './contract.ts'

/** The payment service's database. */
export interface PaymentTables extends OutboxTable, InboxTable {
  payments: {
    id: string
    /** Whose the order is: the person who placed it; null for an order of nobody's, and for payments from before this was noted. */
    owner: string | null
    /** Unique: an order is charged once, ever. */
    order_id: number
    user_id: number
    amount_cents: number
    status: PaymentStatus
    created_at: string
  }
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

/** The payment service's tables. */
export const paymentMigrations: Readonly<Record<string, Migration>> = {
  '2026-01-01-payments': payments,
  '2026-01-02-outbox': outboxMigration,
  '2026-01-03-inbox': inboxMigration,
  '2026-11-26-owners': owners,
}
