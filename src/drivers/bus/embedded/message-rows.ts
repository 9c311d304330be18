import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { BulkStatement, placeholders } from './bulk-statement.ts'

/** A message as its row has it; `topic` is the topic's key. */
export interface MessageRow {
  readonly position: number
  readonly topic: number
  readonly offset: number
  readonly id: string
  readonly timestamp: number
  readonly payload: string
  readonly attributes: string
}

/** Characters that a message brings with it, its envelope not counted. */
export function sizeOf({ payload, attributes }: Pick<MessageRow, 'payload' | 'attributes'>): number {
  return payload.length + attributes.length
}

/** How much is read at a time. */
export interface ReadLimits {
  readonly messages: number
  /** Characters of payload and attributes after which no further message is taken. */
  readonly characters: number
}

/** Where a message stands: among all topics, and in its own. */
export interface Place {
  readonly position: number
  readonly topic: number
  readonly offset: number
}

/** A topic as the database knows it at opening. */
export interface TopicRow {
  readonly key: number
  readonly name: string
  readonly first: number
  readonly last: number
  readonly lastPosition: number
  /** Who made it, if that is known. */
  readonly owner: string | undefined
}

const COLUMNS = 'position, topic, offset, id, timestamp, payload, attributes'

/** The prepared statements over `topics` and `messages`; no rules. */
export class MessageRows {
  readonly #db: DatabaseSync
  readonly #insert: BulkStatement
  readonly #insertTopic: StatementSync
  readonly #trimmed: StatementSync
  readonly #at: StatementSync
  readonly #ofTopic: StatementSync
  readonly #placesBehind: StatementSync
  readonly #positionOf: StatementSync
  readonly #idAt: StatementSync
  readonly #payloadAt: StatementSync
  readonly #idsFrom: StatementSync
  readonly #lowest: StatementSync
  readonly #empty: StatementSync
  readonly #delete: StatementSync
  readonly #restore: StatementSync

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#insert = new BulkStatement(
      db,
      7,
      (rows) => `INSERT INTO messages(${COLUMNS}) VALUES ${placeholders(7, rows)}`,
    )
    this.#insertTopic = db.prepare('INSERT INTO topics(name, owner) VALUES (?, ?)')
    this.#trimmed = db.prepare('UPDATE topics SET first_offset = ?, last_position = ? WHERE key = ?')
    this.#at = arrays(db, `SELECT ${COLUMNS} FROM messages WHERE position = ?`)
    this.#ofTopic = arrays(
      db,
      `SELECT ${COLUMNS} FROM messages WHERE topic = ? AND offset >= ? ORDER BY offset LIMIT ?`,
    )
    this.#placesBehind = arrays(
      db,
      'SELECT position, topic, offset FROM messages WHERE position > ? ORDER BY position LIMIT ?',
    )
    this.#positionOf = arrays(db, 'SELECT position FROM messages WHERE topic = ? AND offset = ?')
    this.#payloadAt = arrays(db, 'SELECT payload FROM messages WHERE topic = ? AND offset = ?')
    this.#idAt = arrays(db, 'SELECT id FROM messages WHERE topic = ? AND offset = ?')
    this.#idsFrom = arrays(db, 'SELECT id, offset FROM messages WHERE topic = ? AND offset >= ? ORDER BY offset')
    this.#lowest = arrays(db, 'SELECT min(offset) FROM messages WHERE topic = ?')
    this.#empty = db.prepare(
      "UPDATE messages SET payload = '', attributes = '{}' WHERE topic = ? AND offset >= ? AND offset < ?",
    )
    this.#delete = db.prepare('DELETE FROM messages WHERE topic = ? AND offset < ?')
    this.#restore = db.prepare(
      `INSERT INTO messages(${COLUMNS}) VALUES ${placeholders(7, 1)}
       ON CONFLICT(position) DO UPDATE SET payload = excluded.payload, attributes = excluded.attributes`,
    )
  }

  /** Every topic. What trimming removed still counts: offsets and positions are never given twice. */
  topics(): TopicRow[] {
    const rows = this.#db
      .prepare(
        `SELECT key, name, first_offset, last_position, owner,
           (SELECT max(offset) FROM messages WHERE topic = key) AS last FROM topics`,
      )
      .all()
    return rows.map((row) => {
      const key = Number(row.key)
      const first = Number(row.first_offset)
      const last = Math.max(Number(row.last ?? 0), first - 1)
      const lastPosition = this.positionOf(key, last) ?? Number(row.last_position)
      const owner = row.owner === null ? undefined : String(row.owner)
      return { key, name: String(row.name), first, last, lastPosition, owner }
    })
  }

  /** Makes a topic; returns its key. */
  insertTopic(name: string, owner: string | undefined): number {
    return Number(this.#insertTopic.run(name, owner ?? null).lastInsertRowid)
  }

  /** @param values seven values a row: position, topic, offset, id, timestamp, payload, attributes. */
  insert(values: readonly SQLInputValue[]): void {
    this.#insert.run(values)
  }

  /** The message at a position. */
  at(position: number): MessageRow | undefined {
    const row = this.#at.get(position)
    return row === undefined ? undefined : messageRow(row)
  }

  /** A topic's messages from an offset on, in order, one at a time. */
  *ofTopic(topic: number, from: number, limit: number): Generator<MessageRow> {
    for (const row of this.#ofTopic.iterate(topic, from, limit)) yield messageRow(row)
  }

  /** Where the messages of all topics behind a position stand, in order, one at a time. */
  *placesBehind(position: number, limit: number): Generator<Place> {
    for (const row of this.#placesBehind.iterate(position, limit)) {
      yield { position: Number(row[0]), topic: Number(row[1]), offset: Number(row[2]) }
    }
  }

  /** Where a topic's message with an offset stands among all topics. */
  positionOf(topic: number, offset: number): number | undefined {
    const found = this.#positionOf.get(topic, offset)?.[0]
    return found === undefined ? undefined : Number(found)
  }

  /** The id of a topic's message, emptied or not. */
  idAt(topic: number, offset: number): string | undefined {
    const row = this.#idAt.get(topic, offset)
    return row === undefined ? undefined : String(row[0])
  }

  /** The payload of a topic's message; empty when it was emptied or deleted. */
  payloadAt(topic: number, offset: number): string {
    return String(this.#payloadAt.get(topic, offset)?.[0] ?? '')
  }

  /** Ids and offsets of a topic's messages from an offset on, one at a time. */
  *idsFrom(topic: number, offset: number): Generator<{ id: string; offset: number }> {
    for (const row of this.#idsFrom.iterate(topic, offset)) yield { id: String(row[0]), offset: Number(row[1]) }
  }

  /** The lowest offset that still has a row, emptied or not. */
  lowest(topic: number): number | undefined {
    const lowest = this.#lowest.get(topic)?.[0]
    return lowest === null || lowest === undefined ? undefined : Number(lowest)
  }

  /** Drops the contents of a topic's messages and keeps their ids, for recognising duplicates. */
  empty(topic: number, from: number, before: number): void {
    this.#empty.run(topic, from, before)
  }

  /** Deletes a topic's messages below an offset. */
  deleteBelow(topic: number, offset: number): void {
    this.#delete.run(topic, offset)
  }

  /** Writes down the first offset a topic still offers, and the newest position. */
  trimmed(topic: number, first: number, lastPosition: number): void {
    this.#trimmed.run(first, lastPosition, topic)
  }

  /** Writes a message back in its old place, whether its row was emptied, deleted or neither. */
  restore(row: MessageRow): void {
    this.#restore.run(row.position, row.topic, row.offset, row.id, row.timestamp, row.payload, row.attributes)
  }
}

function messageRow(row: Record<string, SQLOutputValue>): MessageRow {
  return {
    position: Number(row[0]),
    topic: Number(row[1]),
    offset: Number(row[2]),
    id: String(row[3]),
    timestamp: Number(row[4]),
    payload: String(row[5]),
    attributes: String(row[6]),
  }
}

function arrays(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql)
  statement.setReturnArrays(true)
  return statement
}
