import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { Handed, Unsettled } from '../lease-rules.ts'
import { keyIn } from '../message-key.ts'
import { BulkStatement, placeholders } from './bulk-statement.ts'

/** What a subscription asks for, with its defaults filled in. */
export interface SubscriptionTerms {
  readonly pushUrl: string | undefined
  readonly maxDeliver: number
  readonly ackWaitMs: number
  readonly giveUpAfterMs: number
  /** Undefined where it stays until it is removed. */
  readonly expiresAfterMs: number | undefined
}

/** A subscription as its row has it. */
export interface SubscriptionRow extends SubscriptionTerms {
  readonly key: number
  readonly id: string
  readonly pattern: string
  readonly group: string | undefined
  readonly owner: string | undefined
  /** The first offset it wants of a topic, where no cursor says another. */
  readonly startOffset: number
  /** Where a pattern's reader stands among all topics. Undefined for a topic's, and where an older version had a cursor for each topic. */
  readonly position: number | undefined
  /** When somebody last made use of it, as far as it was written down: wall clock. */
  readonly activeAt: number
}

/** An unsettled message as its row has it. `notBefore` (wall clock) is undefined where it was on lease. */
export interface UnsettledRow extends Handed {
  readonly notBefore: number | undefined
  readonly delayMs: number
}

/** The prepared statements over `subscriptions`, `cursors` and `unsettled`; no rules. */
export class SubscriptionRows {
  readonly #db: DatabaseSync
  readonly #insert: StatementSync
  readonly #update: StatementSync
  readonly #claim: StatementSync
  readonly #touch: StatementSync
  readonly #setPosition: StatementSync
  readonly #setCursor: StatementSync
  readonly #lease: BulkStatement
  readonly #settle: StatementSync
  readonly #giveBack: StatementSync

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#insert = db.prepare(
      `INSERT INTO subscriptions(id, pattern, consumer_group, push_url, max_deliver, ack_wait_ms, start_offset,
         expires_after_ms, give_up_after_ms, owner, position, active_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#update = db.prepare(
      `UPDATE subscriptions SET push_url = ?, max_deliver = ?, ack_wait_ms = ?, expires_after_ms = ?, give_up_after_ms = ?
       WHERE key = ?`,
    )
    this.#claim = db.prepare('UPDATE subscriptions SET owner = ? WHERE key = ?')
    this.#touch = db.prepare('UPDATE subscriptions SET active_at = ? WHERE key = ?')
    this.#setPosition = db.prepare('UPDATE subscriptions SET position = ? WHERE key = ?')
    this.#setCursor = db.prepare('INSERT OR REPLACE INTO cursors(subscription, topic, next_offset) VALUES (?, ?, ?)')
    this.#lease = new BulkStatement(
      db,
      5,
      (rows) =>
        `INSERT INTO unsettled(subscription, position, deliveries, attempt, spared) VALUES ${placeholders(5, rows)}
         ON CONFLICT DO UPDATE SET deliveries = excluded.deliveries, attempt = excluded.attempt, spared = excluded.spared,
           not_before = NULL, delay_ms = NULL`,
    )
    this.#settle = db.prepare('DELETE FROM unsettled WHERE subscription = ? AND position BETWEEN ? AND ?')
    this.#giveBack = db.prepare(
      `INSERT OR REPLACE INTO unsettled(subscription, position, deliveries, attempt, spared, waited_ms, not_before, delay_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
  }

  /** Every subscription, the oldest first. */
  all(): SubscriptionRow[] {
    return this.#db
      .prepare('SELECT * FROM subscriptions ORDER BY key')
      .all()
      .map((row) => ({
        key: Number(row.key),
        id: String(row.id),
        pattern: String(row.pattern),
        group: optional(row.consumer_group),
        pushUrl: optional(row.push_url),
        maxDeliver: Number(row.max_deliver),
        ackWaitMs: Number(row.ack_wait_ms),
        expiresAfterMs: optionalNumber(row.expires_after_ms),
        giveUpAfterMs: Number(row.give_up_after_ms),
        startOffset: Number(row.start_offset),
        owner: optional(row.owner),
        position: optionalNumber(row.position),
        activeAt: Number(row.active_at),
      }))
  }

  /** The next offset of a subscription in each topic, where it is not the one it began with. */
  cursors(subscription: number): { topic: number; next: number }[] {
    return this.#db
      .prepare('SELECT topic, next_offset FROM cursors WHERE subscription = ?')
      .all(subscription)
      .map((row) => ({ topic: Number(row.topic), next: Number(row.next_offset) }))
  }

  /** What a subscription has handed out and not settled. */
  unsettled(subscription: number): UnsettledRow[] {
    return this.#db
      .prepare(
        `SELECT topic, offset, position, deliveries, attempt, spared, waited_ms, not_before, delay_ms, attributes
         FROM unsettled JOIN messages USING(position) WHERE subscription = ? ORDER BY position`,
      )
      .all(subscription)
      .map((row) => ({
        topic: Number(row.topic),
        offset: Number(row.offset),
        position: Number(row.position),
        key: keyIn(String(row.attributes)),
        deliveries: Number(row.deliveries),
        attempt: Number(row.attempt),
        spared: Number(row.spared),
        waitedMs: Number(row.waited_ms),
        notBefore: row.not_before === null ? undefined : Number(row.not_before),
        delayMs: Number(row.delay_ms ?? 0),
      }))
  }

  /** Makes a subscription; returns its key. */
  insert(row: Omit<SubscriptionRow, 'key'>): number {
    const { id, pattern, group = null, pushUrl = null, maxDeliver, ackWaitMs, startOffset } = row
    const { expiresAfterMs = null, giveUpAfterMs, owner = null, position = null, activeAt } = row
    const terms = [id, pattern, group, pushUrl, maxDeliver, ackWaitMs, startOffset, expiresAfterMs, giveUpAfterMs]
    return Number(this.#insert.run(...terms, owner, position, activeAt).lastInsertRowid)
  }

  /** Changes a subscription's terms. */
  update(key: number, { pushUrl, maxDeliver, ackWaitMs, expiresAfterMs, giveUpAfterMs }: SubscriptionTerms): void {
    this.#update.run(pushUrl ?? null, maxDeliver, ackWaitMs, expiresAfterMs ?? null, giveUpAfterMs, key)
  }

  /** Writes down whose a subscription is now. */
  claim(key: number, owner: string): void {
    this.#claim.run(owner, key)
  }

  /** Writes down when a subscription was last made use of. */
  touch(key: number, activeAt: number): void {
    this.#touch.run(activeAt, key)
  }

  /** Writes down where a pattern's reader stands. */
  setPosition(key: number, position: number): void {
    this.#setPosition.run(position, key)
  }

  /** Removes a subscription and all that hangs on it. */
  remove(key: number): void {
    this.#db.prepare('DELETE FROM subscriptions WHERE key = ?').run(key)
    for (const table of ['cursors', 'unsettled', 'held', 'dead_letters']) {
      this.#db.prepare(`DELETE FROM ${table} WHERE subscription = ?`).run(key)
    }
  }

  /** Writes down the next offset of a subscription in a topic. */
  setCursor(subscription: number, topic: number, next: number): void {
    this.#setCursor.run(subscription, topic, next)
  }

  /** Writes down deliveries before they are made, so that they count even when the process dies of one. */
  lease(subscription: number, messages: readonly Unsettled[]): void {
    const values: SQLInputValue[] = []
    for (const { position, deliveries, attempt, spared } of messages) {
      values.push(subscription, position, deliveries, attempt, spared)
    }
    this.#lease.run(values)
  }

  /** Writes down that a message waits. `notBefore` is wall clock, as it must hold over a restart; `delayMs` bounds it. */
  giveBack(subscription: number, message: Unsettled, notBefore: number, delayMs: number): void {
    const { position, deliveries, attempt, spared, waitedMs } = message
    const counts = [deliveries, attempt, spared, waitedMs]
    this.#giveBack.run(subscription, position, ...counts, Math.ceil(notBefore), delayMs)
  }

  /** Forgets messages that are acknowledged or dead. */
  settle(subscription: number, positions: readonly number[]): void {
    for (const { first, last } of unbroken(positions)) this.#settle.run(subscription, first, last)
  }
}

/** Positions as ranges without gaps: what is acknowledged together mostly stands together. */
function unbroken(positions: readonly number[]): { first: number; last: number }[] {
  const ranges: { first: number; last: number }[] = []
  for (const position of positions.toSorted((a, b) => a - b)) {
    const range = ranges.at(-1)
    if (range !== undefined && position <= range.last + 1) range.last = position
    else ranges.push({ first: position, last: position })
  }
  return ranges
}

function optionalNumber(value: unknown): number | undefined {
  return value === null ? undefined : Number(value)
}

function optional(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
