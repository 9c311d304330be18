import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { Unsettled } from '../lease-rules.ts'
import { type MessageRow, sizeOf } from './message-rows.ts'

/** A dead letter as its row has it: the message, and how it died. */
export interface DeadLetterRow extends MessageRow {
  readonly key: number
  /** Key of the subscription in which it died. */
  readonly subscription: number
  readonly deliveries: number
  readonly attempt: number
  readonly reason: string
}

/** Which dead letters are meant; all where nothing is said. */
export interface DeadLetterFilter {
  readonly subscription?: number
  /** Id of the message, or its beginning up to a space. */
  readonly id?: string
  /** Only those behind this key. */
  readonly after?: number
  readonly limit: number
}

/** Characters after which a list takes no further letter. */
const MAX_LIST_SIZE = 2 * 1024 * 1024
/** Longest reason kept, in characters. */
const MOST_REASON = 1000

/** Messages that were delivered in vain too often. They keep their content: retention may take the original. */
export class DeadLetters {
  readonly #add: StatementSync
  readonly #list: StatementSync
  readonly #listOfSubscription: StatementSync
  readonly #listOfId: StatementSync
  readonly #count: StatementSync
  readonly #remove: StatementSync

  constructor(db: DatabaseSync) {
    this.#add = db.prepare(
      `INSERT INTO dead_letters(subscription, position, topic, offset, id, timestamp, payload, attributes, deliveries,
         attempt, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#list = db.prepare('SELECT * FROM dead_letters WHERE key > :after ORDER BY key LIMIT :limit')
    this.#listOfSubscription = db.prepare(
      'SELECT * FROM dead_letters WHERE subscription = :subscription AND key > :after ORDER BY key LIMIT :limit',
    )
    // '!' is the character behind the space
    this.#listOfId = db.prepare(
      `SELECT * FROM dead_letters WHERE (id = :id OR (id > :id || ' ' AND id < :id || '!'))
         AND key > :after AND subscription = coalesce(:subscription, subscription) ORDER BY key LIMIT :limit`,
    )
    this.#count = db.prepare('SELECT count(*) AS count FROM (SELECT 1 FROM dead_letters LIMIT ?)')
    this.#remove = db.prepare('DELETE FROM dead_letters WHERE key = ?')
  }

  /** Adds a message that died in a subscription, with the content it has now. */
  add(subscription: number, message: MessageRow, { deliveries, attempt }: Unsettled, reason: string): void {
    const { position, topic, offset, id, timestamp, payload, attributes } = message
    const why = reason.slice(0, MOST_REASON)
    this.#add.run(
      ...[subscription, position, topic, offset, id, timestamp, payload, attributes, deliveries, attempt, why],
    )
  }

  /** Those that a filter means, oldest first; fewer than its limit where they are large, at least one where there is one. */
  list(filter: DeadLetterFilter): DeadLetterRow[] {
    const found: DeadLetterRow[] = []
    let left = MAX_LIST_SIZE
    for (const row of this.#rows(filter)) {
      const letter = deadLetter(row)
      found.push(letter)
      left -= sizeOf(letter)
      if (left <= 0) break
    }
    return found
  }

  #rows({ subscription, id, after = 0, limit }: DeadLetterFilter) {
    const page = { after, limit }
    if (id !== undefined) return this.#listOfId.iterate({ ...page, id, subscription: subscription ?? null })
    if (subscription !== undefined) return this.#listOfSubscription.iterate({ ...page, subscription })
    return this.#list.iterate(page)
  }

  /** How many there are, counted up to `most`. */
  count(most: number): number {
    return Number(this.#count.get(most)?.count)
  }

  /** Removes one. */
  remove(key: number): void {
    this.#remove.run(key)
  }
}

function deadLetter(row: Record<string, SQLOutputValue>): DeadLetterRow {
  return {
    key: Number(row.key),
    subscription: Number(row.subscription),
    position: Number(row.position),
    topic: Number(row.topic),
    offset: Number(row.offset),
    id: String(row.id),
    timestamp: Number(row.timestamp),
    payload: String(row.payload),
    attributes: String(row.attributes),
    deliveries: Number(row.deliveries),
    attempt: Number(row.attempt),
    reason: String(row.reason),
  }
}
