import { type Generated, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { dialectOf } from '../../drivers/store/dialect.ts'
import { inboxContentMigration, inboxMigration } from '../../kit/messaging/inbox.ts'
import type { InboxTable, OutboxTable } from '../../kit/messaging/messaging.ts'
import { outboxMigration, outboxPartsMigration } from '../../kit/messaging/outbox.ts'
import type { OrderStatus } from './contract.ts'

/** The order service's database. */
export interface OrderTables extends OutboxTable, InboxTable {
  orders: {
    id: Generated<number>
    /** What its events call it: no restored copy of the database gives it out again, as it does ids. Null for orders from before. */
    uuid: string | null
    /** The subject of the token it was made with; null when it was made without one. */
    owner: string | null
    user_id: number
    product_name: string
    quantity: number
    total_cents: number
    status: OrderStatus
    /** Why its payment failed; null for any other order. */
    reason: string | null
    created_at: string
  }
  idempotency_keys: {
    /** Who used it: `user alice`, `service shop-service`; empty for local callers. */
    owner: string
    key: string
    order_id: number
    created_at: string
  }
}

const orders: Migration = {
  async up(db) {
    await db.schema
      .createTable('orders')
      .addColumn('id', 'integer', dialectOf(db).serialId)
      .addColumn('owner', 'text')
      .addColumn('user_id', 'bigint', (column) => column.notNull())
      .addColumn('product_name', 'text', (column) => column.notNull())
      .addColumn('quantity', 'integer', (column) => column.notNull())
      .addColumn('total_cents', 'bigint', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('orders_user').on('orders').columns(['user_id', 'id']).execute()
    await db.schema.createIndex('orders_owner').on('orders').columns(['owner', 'id']).execute()
  },
}

const idempotencyKeys: Migration = {
  async up(db) {
    await db.schema
      .createTable('idempotency_keys')
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('order_id', 'bigint', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('idempotency_keys_pk', ['owner', 'key'])
      .execute()
    await db.schema.createIndex('idempotency_keys_age').on('idempotency_keys').column('created_at').execute()
  },
}

/** Keys were a user's by his name alone, which a service could have too. */
const keysByKind: Migration = {
  async up(db) {
    await sql`update idempotency_keys set owner = 'user ' || owner where owner <> ''`.execute(db)
  },
}

const byStatus: Migration = {
  async up(db) {
    await db.schema.createIndex('orders_status').on('orders').columns(['status', 'id']).execute()
  },
}

const reasons: Migration = {
  async up(db) {
    await db.schema.alterTable('orders').addColumn('reason', 'text').execute()
  },
}

const uuids: Migration = {
  async up(db) {
    await db.schema.alterTable('orders').addColumn('uuid', 'text').execute()
  },
}

/** The order service's tables. */
export const orderMigrations: Readonly<Record<string, Migration>> = {
  '2026-01-01-orders': orders,
  '2026-01-02-idempotency-keys': idempotencyKeys,
  '2026-01-03-outbox': outboxMigration,
  '2026-01-04-inbox': inboxMigration,
  '2026-11-26-idempotency-keys-by-kind': keysByKind,
  '2026-11-26-orders-by-status': byStatus,
  '2026-11-26-orders-uuids': uuids,
  '2026-11-27-inbox-content': inboxContentMigration,
  '2026-11-27-reasons': reasons,
  '2026-11-28-outbox-parts': outboxPartsMigration,
}
