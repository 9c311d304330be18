import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hono } from 'hono'
import type { Store } from '../../../drivers/store/contract.ts'
import { openStore } from '../../../drivers/store/open.ts'
import { type Asker, LOCAL } from '../../../kit/auth/asker.ts'
import type { ServiceClient } from '../../../kit/client/service-client.ts'
import { AppError } from '../../../kit/errors.ts'
import type { AppEnv } from '../../../kit/http/app-env.ts'
import type { Outbox } from '../../../kit/messaging/messaging.ts'
import { createOutbox } from '../../../kit/messaging/outbox.ts'
import { errors } from '../../../kit/middleware/errors.ts'
import type { Log } from '../../../kit/telemetry/log.ts'
import { runInScope } from '../../../kit/telemetry/scope.ts'
import { silentLog } from '../../../kit/telemetry/testing/recorded-log.ts'
import type { Order } from '../contract.ts'
import { type OrderTables, orderMigrations } from '../order-tables.ts'
import { createOrders } from '../orders.ts'
import { createPaymentResults, type PaymentResults } from '../payment-results.ts'
import { createPlacing } from '../placing.ts'
import { createPrices, PriceList } from '../prices.ts'
import { orderRoutes } from '../routes.ts'

/** A whole order service on a temporary database; user-service is answered by `users`. */
export class OrderService implements AsyncDisposable {
  readonly store: Store<OrderTables>
  readonly logged: string[] = []
  /** What the config server says. */
  remote: Record<string, unknown> = {}
  now = Date.parse('2026-12-01T12:00:00Z')
  /** Times user-service was asked. */
  asked = 0
  /** Users 1 to 9 exist. */
  users = async (id: number): Promise<unknown> => {
    if (id > 9) throw new AppError('NOT_FOUND', 'User not found')
    return { id }
  }
  readonly outbox: Outbox<OrderTables>
  readonly #app: Hono<AppEnv>
  readonly #payments: PaymentResults
  readonly #folder: string

  /** @param url of its store. Default: a SQLite's in a temporary folder */
  static async open({ currency = 'EUR', url = 'sqlite:' } = {}): Promise<OrderService> {
    const folder = await mkdtemp(join(tmpdir(), 'msvc-order-'))
    const migrations = orderMigrations
    const store = await openStore<OrderTables>({ url, name: 'order-service', folder, migrations })
    return new OrderService(store, folder, currency)
  }

  private constructor(store: Store<OrderTables>, folder: string, currency: string) {
    this.store = store
    this.#folder = folder
    const clock = { now: () => this.now, monotonic: () => 0 }
    const note = (message: string) => void this.logged.push(message)
    const log: Log = { debug: note, info: note, warning: note, error: note, critical: note }
    const nobody = () => Promise.reject(new Error('not expected'))
    const users: ServiceClient = {
      service: 'user-service',
      get: (path) => {
        this.asked++
        return this.users(Number(path.split('/').at(-1)))
      },
      post: nobody,
      put: nobody,
      patch: nobody,
      delete: nobody,
      raw: nobody,
    }
    const outbox = createOutbox<OrderTables>({ store, service: 'order-service', clock })
    this.outbox = outbox
    const priceOf = createPrices(PriceList.parse({ prices: { Laptop: 999.9 } }), { get: (key) => this.remote[key] })
    const orders = createOrders(store, outbox)
    this.#app = orderRoutes(orders, createPlacing({ store, outbox, users, clock, priceOf, currency }))
    errors(this.#app, silentLog)
    this.#payments = createPaymentResults({ store, outbox, clock, log, currency })
  }

  /** Sends a request as `asker`: a local caller unless the test says otherwise. */
  async call(
    method: string,
    path: string,
    { body, asker = LOCAL, key }: { body?: unknown; asker?: Asker; key?: string } = {},
  ) {
    const init: RequestInit = { method, headers: key === undefined ? {} : { 'idempotency-key': key } }
    if (body !== undefined) init.body = typeof body === 'string' ? body : JSON.stringify(body)
    const send = () => this.#app.request(path, init)
    const answer = await runInScope({ ...SCOPE, asker }, send)
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  /** Places an order for user 1 and gives its answer's body. */
  async place(order: Partial<Order> = {}, who: { asker?: Asker; key?: string } = {}): Promise<Order> {
    const body = { user_id: 1, product_name: 'Mouse', quantity: 1, ...order }
    return (await this.call('POST', '/api/orders', { body, ...who })).body
  }

  /** Delivers a `payment.processed`. */
  async deliver(id: string, payload: unknown): Promise<void> {
    const timestamp = new Date(this.now).toISOString()
    await this.#payments.processed({ id, topic: 'payment.processed', payload, timestamp, delivery: 1, attributes: {} })
  }

  /** Delivers a `payment.refunded`. */
  async refund(id: string, payload: unknown): Promise<void> {
    const timestamp = new Date(this.now).toISOString()
    await this.#payments.refunded({ id, topic: 'payment.refunded', payload, timestamp, delivery: 1, attributes: {} })
  }

  /** Data of the events that wait in the outbox. */
  async events(): Promise<{ id: string; type: string; data: unknown }[]> {
    const rows = await this.store.db.selectFrom('outbox').select('event').orderBy('position').execute()
    return rows.map(({ event }) => JSON.parse(event))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close()
    await rm(this.#folder, { recursive: true })
  }
}

const span = { traceId: '', spanId: '', sampled: false, setAttribute() {}, rename() {}, end() {} }
const SCOPE = { span, requestId: 'request' }
