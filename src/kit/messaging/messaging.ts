import type { Transaction } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'

/**
 * A CloudEvent (1.0) to publish; `type` is its topic. Source, time and traceparent are filled in.
 * @example const event: OutgoingEvent = { type: 'product.sold', key: `product-${id}`, data: { product_id: id, quantity: 1 } }
 */
export interface OutgoingEvent {
  /** Default: a fresh UUIDv7. Publishing the same id again makes no copy. */
  readonly id?: string
  readonly type: string
  /** Events of one key, such as an order's, are sent and handed out in the order in which they were written: CloudEvents' `partitionkey`. Default: none. */
  readonly key?: string
  readonly data: unknown
}

/**
 * A message as a consumer gets it: the event's data and its context attributes.
 * @example const handle = async ({ id, topic, payload }: IncomingEvent) => log.info(`${topic} ${id}`, { payload })
 */
export interface IncomingEvent {
  readonly id: string
  readonly topic: string
  /** Undefined where an event has no data, or data that are neither JSON nor text. */
  readonly payload?: unknown
  readonly timestamp: string
  /** 1 the first time. */
  readonly delivery: number
  readonly attributes: Readonly<Record<string, string>>
}

/**
 * The table that `Messaging.outbox` needs; a role's database type extends it.
 * @example
 * interface Tables extends OutboxTable {
 *   products: { id: number; name: string }
 * }
 */
export interface OutboxTable {
  /** `part` is where its key puts it. */
  outbox: { position: number; id: string; topic: string; event: string; created_at: string; part: number }
  /** Who sends the events of each part, until when (milliseconds since 1970, by the database's clock). */
  outbox_parts: { part: number; holder: string | null; held_until: number }
}
/**
 * The table that `once` of inbox.ts needs.
 * @example
 * interface Tables extends InboxTable {
 *   sales: { product_id: number; quantity: number }
 * }
 */
export interface InboxTable {
  /** `content` is a digest of what the event said; null for events from before it was noted. */
  inbox: { id: string; handled_at: string; content: string | null }
}

/**
 * Writes events in the caller's own transaction and sends them to the broker after it, also after a crash (seed 9.7.12; transactional outbox).
 * @example
 * const outbox = messaging.outbox(store)
 * await store.transaction(async (trx) => {
 *   await trx.insertInto('products').values({ id, name }).execute()
 *   await outbox.add(trx, { type: 'product.added', data: { product_id: id, name } })
 * })
 */
export interface Outbox<DB extends OutboxTable> {
  /**
   * Call it within `store.transaction`: row and event are written together or not at all. Throws AppError `CONFLICT` while another event with its
   * id waits.
   */
  add(trx: Transaction<DB>, event: OutgoingEvent): Promise<void>
}

/**
 * What to consume and how.
 * @example messaging.consume({ topic: 'product.*', concurrency: 8, handle: async (event) => index(event) })
 */
export interface ConsumeOptions {
  readonly topic: string
  /** Consumer group: each message goes to one of its members. Default: the service's name, which all its instances share. */
  readonly group?: string
  /** Handles one message; a throw gives it back (nack). Runs within the message's scope: log and client calls join its trace. */
  readonly handle: (event: IncomingEvent) => Promise<void>
  /** Messages handled at the same time. Default 64. */
  readonly concurrency?: number
  /** Lease in milliseconds. Default 5 000. */
  readonly ackWaitMs?: number
}

/**
 * A role's way to the broker. All loops stop when the role stops.
 * @example
 * await messaging.publish([{ type: 'shop.opened', data: { at: '08:00' } }])
 * messaging.consume({ topic: 'order.created', handle: async (event) => reserve(event) })
 */
export interface Messaging {
  /** Publishes at once, without outbox; resolves once the broker has it on disk. */
  publish(events: readonly OutgoingEvent[]): Promise<void>
  /** The outbox of a store whose migrations include `outboxMigration`; starts its relay. */
  outbox<DB extends OutboxTable>(store: Store<DB>): Outbox<DB>
  /** Starts consuming; returns at once and keeps trying while the broker is away. */
  consume(options: ConsumeOptions): void
}
