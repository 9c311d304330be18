import type { Generated, Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { dialectOf } from '../../drivers/store/dialect.ts'

/** The user service's database. */
export interface UserTables {
  users: {
    id: Generated<number>
    username: string
    email: string
    /** Username and e-mail folded, so that `Alice` and `alice` are one. */
    username_key: string
    email_key: string
    created_at: string
  }
}

/** The seed's two users (9.7.2). */
const DEMO_USERS = [
  { username: 'john_doe', email: 'john@example.com' },
  { username: 'jane_smith', email: 'jane@example.com' },
]

/** Folds a name or an address for comparing: case, and characters that Unicode counts as the same. */
export function foldKey(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/**
 * The user service's tables.
 * @param demoUsers whether a fresh database begins with john_doe (1) and jane_smith (2), for the seed's curl lines; a deleted one stays deleted
 * @param now when, RFC 3339
 */
export function userMigrations(demoUsers: boolean, now: string): Readonly<Record<string, Migration>> {
  const users: Migration = {
    async up(db) {
      await db.schema
        .createTable('users')
        .addColumn('id', 'integer', dialectOf(db).serialId)
        .addColumn('username', 'text', (column) => column.notNull())
        .addColumn('email', 'text', (column) => column.notNull())
        .addColumn('username_key', 'text', (column) => column.notNull().unique())
        .addColumn('email_key', 'text', (column) => column.notNull().unique())
        .addColumn('created_at', 'text', (column) => column.notNull())
        .execute()
    },
  }
  const demo: Migration = {
    async up(db: Kysely<UserTables>) {
      const rows = DEMO_USERS.map(({ username, email }) => ({
        username,
        email,
        username_key: foldKey(username),
        email_key: foldKey(email),
        created_at: now,
      }))
      if (demoUsers) await db.insertInto('users').values(rows).execute()
    },
  }
  return { '2026-01-01-users': users, '2026-01-02-demo-users': demo }
}
