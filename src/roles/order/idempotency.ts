import type { Kysely, Transaction } from 'kysely'
import { bind } from '../../kit/bound-query.ts'
import { AppError } from '../../kit/errors.ts'
import type { OrderTables } from './order-tables.ts'

/** Milliseconds a key is remembered at least, by the wall clock: a day. */
const KEPT_MS = 24 * 3_600_000
/** Orders that have to come after a key's own before it is forgotten: a quarter of an hour's at a hundred a second. A clock that jumps brings none. */
const KEPT_ORDERS = 100_000
/** Old keys are dropped with one order in this many, some at a time: more than come. */
const PRUNE_EVERY = 32
const PRUNED_AT_ONCE = 100

/** Visible ASCII, so that it can stand in logs and headers. */
const KEY = /^[\x21-\x7e]{1,255}$/

/** The `Idempotency-Key` header of a request, checked. Throws AppError `INVALID_REQUEST`. */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined || KEY.test(header)) return header
  throw new AppError('INVALID_REQUEST', 'Invalid Idempotency-Key', {
    detail: 'An Idempotency-Key has 1 to 255 visible ASCII characters',
  })
}

/** A key belongs to who used it: another caller's same key is another key. */
export interface OwnedKey {
  /** `Placer.keys`: empty for a local caller. */
  readonly owner: string
  readonly key: string
}

/** Which order a key has made. */
export interface IdempotencyKeys {
  /** The order that the key made, if it is remembered. */
  find(key: OwnedKey): Promise<number | undefined>
  /**
   * Remembers what a key made, and now and then forgets some that are older than a day and 100 000 orders. Throws DriverError `conflict` when it has
   * made an order meanwhile.
   */
  remember(trx: Transaction<OrderTables>, key: OwnedKey, orderId: number, now: number): Promise<void>
}

/** Makes the keys of a database, their statements compiled once. */
export function createIdempotencyKeys(db: Kysely<OrderTables>): IdempotencyKeys {
  const select = db
    .selectFrom('idempotency_keys')
    .select('order_id')
    .where('owner', '=', '')
    .where('key', '=', '')
    .compile()
  const oldest = db.selectFrom('idempotency_keys').selectAll().orderBy('created_at').limit(PRUNED_AT_ONCE).compile()
  const remove = db.deleteFrom('idempotency_keys').where('owner', '=', '').where('key', '=', '').compile()
  const insert = db.insertInto('idempotency_keys').values({ owner: '', key: '', order_id: 0, created_at: '' }).compile()

  async function prune(trx: Transaction<OrderTables>, orderId: number, now: number): Promise<void> {
    const expired = new Date(now - KEPT_MS).toISOString()
    for (const old of (await trx.executeQuery(oldest)).rows) {
      if (old.created_at > expired || old.order_id > orderId - KEPT_ORDERS) continue
      await trx.executeQuery(bind(remove, [old.owner, old.key]))
    }
  }

  return {
    async find({ owner, key }) {
      return (await db.executeQuery(bind(select, [owner, key]))).rows[0]?.order_id
    },
    async remember(trx, { owner, key }, orderId, now) {
      if (orderId % PRUNE_EVERY === 0) await prune(trx, orderId, now)
      await trx.executeQuery(bind(insert, [owner, key, orderId, new Date(now).toISOString()]))
    },
  }
}
