import { randomUUIDv7 } from 'node:crypto'
import type { Transaction } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store, TransactionOptions } from '../../drivers/store/contract.ts'
import { bind } from '../../kit/bound-query.ts'
import type { ServiceClient } from '../../kit/client/service-client.ts'
import { AppError, toAppError } from '../../kit/errors.ts'
import type { Outbox } from '../../kit/messaging/messaging.ts'
import { type NewOrder, ORDER_CREATED, type Order, type OrderCreated, orderKey } from './contract.ts'
import { createIdempotencyKeys, type OwnedKey } from './idempotency.ts'
import { type OrderRow, toOrder } from './order-rows.ts'
import type { OrderTables } from './order-tables.ts'
import type { Placer } from './ownership.ts'

/** Milliseconds for which a user who was there counts as there while user-service can't be asked. */
const USER_REMEMBERED_MS = 60_000

/** Its rows stand for themselves, and of two with one key the unique constraint lets one be. */
const TOGETHER: TransactionOptions = { isolation: 'shared' }

/** How every order begins, and is answered. */
const NEW = { status: 'pending', reason: null } as const

/** What placing an order takes. */
export interface PlacingOptions {
  readonly store: Store<OrderTables>
  readonly outbox: Outbox<OrderTables>
  readonly users: ServiceClient
  readonly clock: Clock
  /** A product's price in cents. */
  readonly priceOf: (product: string) => number
  /** What prices are in, such as `EUR`. */
  readonly currency: string
}

/** An order that is on disk. */
interface Placed {
  readonly order: Order
  /** True when an earlier request with the same key had placed it. */
  readonly replayed: boolean
}

/**
 * Makes orders.
 * @param key makes a repeated request safe: for a day, and for 100 000 orders, at least the same key with the same order gives the first answer again
 *
 * Throws AppError `NOT_FOUND` when there is no such user, `UNPROCESSABLE` for a key that made another order, and what the service client
 * throws while user-service can't be asked.
 */
export type PlaceOrder = (order: NewOrder, placer: Placer, key?: string) => Promise<Placed>

/** Makes the way in which orders are placed, its statements compiled once. */
export function createPlacing({ store, outbox, users, clock, priceOf, currency }: PlacingOptions): PlaceOrder {
  const { db } = store
  const keys = createIdempotencyKeys(db)
  const byId = db.selectFrom('orders').selectAll().where('id', '=', 0).compile()
  const values = { uuid: null, owner: null, user_id: 0, product_name: '', quantity: 0, total_cents: 0, created_at: '' }
  const insert = db
    .insertInto('orders')
    .values({ ...values, status: 'pending' })
    .returning('id')
    .compile()

  async function checkUser(id: number): Promise<void> {
    try {
      await users.get(`/api/users/${id}`, { share: true, cacheMs: USER_REMEMBERED_MS })
    } catch (fault) {
      const error = toAppError(fault)
      if (error.code === 'NOT_FOUND') throw new AppError('NOT_FOUND', 'User not found', { cause: fault })
      if (error.status >= 500) throw fault
      // Its refusal of us is not a fault of our caller's.
      throw new AppError('UPSTREAM_FAILED', `${users.service} refused to say who user ${id} is`, { cause: fault })
    }
  }

  /** The first answer again, when the key has made an order. */
  async function replay(order: NewOrder, owned: OwnedKey): Promise<Placed | undefined> {
    const id = await keys.find(owned)
    if (id === undefined) return undefined
    const row = (await db.executeQuery(bind(byId, [id]))).rows[0]
    if (!row) return undefined
    if (!isSame(row, order)) {
      throw new AppError('UNPROCESSABLE', 'This Idempotency-Key was used for another order')
    }
    return { order: toOrder({ ...row, ...NEW }), replayed: true }
  }

  async function write(trx: Transaction<OrderTables>, order: NewOrder, owner: string | null): Promise<Order> {
    const { user_id, product_name, quantity } = order
    const total_cents = priceOf(product_name) * quantity
    const created_at = new Date(clock.now()).toISOString()
    const uuid = randomUUIDv7()
    const parameters = [uuid, owner, user_id, product_name, quantity, total_cents, created_at, 'pending']
    const { rows } = await trx.executeQuery(bind(insert, parameters))
    const [row] = rows
    if (!row) throw new AppError('INTERNAL', 'The database gave the order no id')
    const { id } = row
    const made = toOrder({ id, uuid, owner, user_id, product_name, quantity, total_cents, ...NEW, created_at })
    const data: OrderCreated = {
      order_id: id,
      order_uuid: uuid,
      user_id,
      product_name,
      quantity,
      total_price: made.total_price,
      currency,
    }
    await outbox.add(trx, { id: uuid, type: ORDER_CREATED, key: orderKey(data), data })
    return made
  }

  return async function placeOrder(order, { owner, keys: keysOf }, key) {
    if (key === undefined) {
      await checkUser(order.user_id)
      return { order: await store.transaction((trx) => write(trx, order, owner), TOGETHER), replayed: false }
    }
    const owned = { owner: keysOf, key }
    const before = await replay(order, owned)
    if (before) return before
    await checkUser(order.user_id)
    try {
      const made = await store.transaction(async (trx) => {
        const made = await write(trx, order, owner)
        await keys.remember(trx, owned, made.id, clock.now())
        return made
      }, TOGETHER)
      return { order: made, replayed: false }
    } catch (fault) {
      // Two requests with one key may come this far together, and the key takes one. To ask for it in the transaction would make that run again for
      // each neighbour in the index that is written meanwhile.
      const first = toAppError(fault).code === 'CONFLICT' ? await replay(order, owned) : undefined
      if (first) return first
      throw fault
    }
  }
}

function isSame(row: OrderRow, order: NewOrder): boolean {
  return row.user_id === order.user_id && row.product_name === order.product_name && row.quantity === order.quantity
}
