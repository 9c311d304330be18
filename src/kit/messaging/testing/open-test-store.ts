import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { Store } from '../../../drivers/store/contract.ts'
import { sqlite } from '../../../drivers/store/sqlite.ts'
import { inboxContentMigration, inboxMigration } from '../inbox.ts'
import type { InboxTable, OutboxTable } from '../messaging.ts'
import { outboxMigration, outboxPartsMigration } from '../outbox.ts'

/** A service's tables: one for its effects, and messaging's two. */
export interface TestTables extends OutboxTable, InboxTable {
  effects: { name: string }
}

const effects: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.createTable('effects').addColumn('name', 'text').execute()
  },
}

/** Makes them. */
export const testMigrations: Readonly<Record<string, Migration>> = {
  '1-effects': effects,
  '2-outbox': outboxMigration,
  '3-inbox': inboxMigration,
  '4-content': inboxContentMigration,
  '5-parts': outboxPartsMigration,
}

/** A SQLite store in a folder of its own; disposing of it removes both. */
export async function openTestStore(): Promise<Store<TestTables> & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'msvc-messaging-'))
  const store = await sqlite.open<TestTables>({ url: 'sqlite:', name: 'test', folder, migrations: testMigrations })
  return Object.assign(store, {
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  })
}
