import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { BulkStatement, placeholders } from './bulk-statement.ts'
import type { Place } from './message-rows.ts'

/** A message that waits for an earlier one of its key. */
export interface HeldRow extends Place {
  readonly key: string
  /** Deliveries ever: more than none for one that was a dead letter. */
  readonly attempt: number
}

/** The prepared statements over `held`; no rules. */
export class HeldRows {
  readonly #insert: BulkStatement
  readonly #first: StatementSync
  readonly #remove: StatementSync
  readonly #lowest: StatementSync
  readonly #counts: StatementSync

  constructor(db: DatabaseSync) {
    this.#insert = new BulkStatement(
      db,
      6,
      (rows) =>
        `INSERT INTO held(subscription, message_key, position, topic, offset, attempt) VALUES ${placeholders(6, rows)}`,
    )
    this.#first = db.prepare(
      'SELECT position, topic, offset, attempt FROM held WHERE subscription = ? AND message_key = ? ORDER BY position LIMIT 1',
    )
    this.#remove = db.prepare('DELETE FROM held WHERE subscription = ? AND message_key = ? AND position = ?')
    this.#lowest = db.prepare('SELECT min(offset) AS lowest FROM held WHERE subscription = ? AND topic = ?')
    this.#counts = db.prepare(
      'SELECT message_key, count(*) AS count FROM held WHERE subscription = ? GROUP BY message_key',
    )
  }

  /** Adds messages to those that a subscription holds back. */
  insert(subscription: number, rows: readonly HeldRow[]): void {
    const values: SQLInputValue[] = []
    for (const { key, position, topic, offset, attempt } of rows) {
      values.push(subscription, key, position, topic, offset, attempt)
    }
    this.#insert.run(values)
  }

  /** Takes out the first message of a key in the order stored; undefined when there is none. */
  take(subscription: number, key: string): HeldRow | undefined {
    const row = this.#first.get(subscription, key)
    if (row === undefined) return undefined
    const position = Number(row.position)
    this.#remove.run(subscription, key, position)
    return { key, position, topic: Number(row.topic), offset: Number(row.offset), attempt: Number(row.attempt) }
  }

  /** The lowest offset of a topic that a subscription holds back, or Infinity. */
  lowestOffset(subscription: number, topic: number): number {
    const lowest = this.#lowest.get(subscription, topic)?.lowest
    return lowest === null || lowest === undefined ? Number.POSITIVE_INFINITY : Number(lowest)
  }

  /** How many messages of each key a subscription holds back. */
  counts(subscription: number): { key: string; count: number }[] {
    return this.#counts
      .all(subscription)
      .map(({ message_key, count }) => ({ key: String(message_key), count: Number(count) }))
  }
}
