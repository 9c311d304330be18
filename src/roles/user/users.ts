import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { bind } from '../../kit/bound-query.ts'
import { AppError, toAppError } from '../../kit/errors.ts'
import type { NewUser, User, UserChanges } from './contract.ts'
import { foldKey, type UserTables } from './user-tables.ts'

const COLUMNS = ['id', 'username', 'email', 'created_at'] as const

/** Who there is. Usernames and e-mail addresses are each given once, whatever their case. */
export interface Users {
  /** Users in the order of their ids, those after one id. */
  list(options: { limit: number; after?: number | undefined }): Promise<readonly User[]>
  /** Throws AppError `NOT_FOUND`. */
  find(id: number): Promise<User>
  /** Throws AppError `CONFLICT` when the name or the address is taken. */
  add(user: NewUser): Promise<User>
  /** Changes what is given. Throws AppError `NOT_FOUND`, `CONFLICT`. */
  change(id: number, changes: UserChanges): Promise<User>
  /** Throws AppError `NOT_FOUND`. */
  remove(id: number): Promise<void>
}

/** Makes the users of a store, the statement for finding one compiled once. */
export function createUsers(store: Store<UserTables>, clock: Clock): Users {
  const { db } = store
  const byId = db.selectFrom('users').select(COLUMNS).where('id', '=', 0).compile()

  async function find(id: number): Promise<User> {
    const { rows } = await db.executeQuery(bind(byId, [id]))
    return rows[0] ?? notFound()
  }

  async function isTaken(
    column: 'username_key' | 'email_key',
    value: string | undefined,
    by: number,
  ): Promise<boolean> {
    if (value === undefined) return false
    const query = db.selectFrom('users').select('id').where(column, '=', foldKey(value)).where('id', '!=', by)
    return (await query.executeTakeFirst()) !== undefined
  }

  /** What the database says of a value that another user has, in words of the API. */
  async function explained(fault: unknown, { username, email }: UserChanges, id = 0): Promise<unknown> {
    if (toAppError(fault).code !== 'CONFLICT') return fault
    const name = await isTaken('username_key', username, id)
    const address = await isTaken('email_key', email, id)
    const what = name && address ? 'Username and email are' : name ? 'Username is' : 'Email is'
    return new AppError('CONFLICT', `${what} already taken`, { cause: fault })
  }

  return {
    list({ limit, after = 0 }) {
      return db.selectFrom('users').select(COLUMNS).where('id', '>', after).orderBy('id').limit(limit).execute()
    },
    find,
    async add(user) {
      try {
        return await store.transaction((trx) =>
          trx
            .insertInto('users')
            .values({
              ...user,
              username_key: foldKey(user.username),
              email_key: foldKey(user.email),
              created_at: new Date(clock.now()).toISOString(),
            })
            .returning(COLUMNS)
            .executeTakeFirstOrThrow(),
        )
      } catch (fault) {
        throw await explained(fault, user)
      }
    },
    async change(id, changes) {
      if (Object.values(changes).every((value) => value === undefined)) return find(id)
      try {
        return await store.transaction((trx) =>
          trx
            .updateTable('users')
            .set({
              ...(changes.username !== undefined && {
                username: changes.username,
                username_key: foldKey(changes.username),
              }),
              ...(changes.email !== undefined && { email: changes.email, email_key: foldKey(changes.email) }),
            })
            .where('id', '=', id)
            .returning(COLUMNS)
            .executeTakeFirstOrThrow(notFoundError),
        )
      } catch (fault) {
        throw await explained(fault, changes, id)
      }
    },
    async remove(id) {
      const { numDeletedRows } = await store.transaction((trx) =>
        trx.deleteFrom('users').where('id', '=', id).executeTakeFirstOrThrow(),
      )
      if (numDeletedRows === 0n) notFound()
    },
  }
}

function notFoundError(): AppError {
  return new AppError('NOT_FOUND', 'User not found')
}

function notFound(): never {
  throw notFoundError()
}
