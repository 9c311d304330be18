import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { DelayedPlace } from '../delay.ts'
import { type ReadLimits, sizeOf } from './message-rows.ts'

/** A message that waits for its time; `topic` is the topic's key. */
export interface DelayedRow {
  readonly topic: number
  readonly id: string
  /** Wall clock, milliseconds since 1970. */
  readonly dueAt: number
  readonly payload: string
  readonly attributes: string
}

/** A message that waits, without what it says. */
export type DelayedName = Pick<DelayedRow, 'topic' | 'id'> & DelayedPlace

/** The prepared statements over `delayed`; no rules. */
export class DelayedRows {
  readonly #db: DatabaseSync
  readonly #insert: StatementSync
  readonly #find: StatementSync
  readonly #due: StatementSync
  readonly #remove: StatementSync
  readonly #next: StatementSync
  readonly #ofTime: StatementSync
  readonly #later: StatementSync
  readonly #at: StatementSync
  readonly #cancel: StatementSync

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#insert = db.prepare(
      'INSERT INTO delayed(topic, id, due_at, delay_ms, payload, attributes) VALUES (?, ?, ?, ?, ?, ?)',
    )
    this.#find = db.prepare('SELECT topic, id, due_at, payload, attributes FROM delayed WHERE topic = ? AND id = ?')
    this.#due = db.prepare('SELECT * FROM delayed WHERE due_at <= ? ORDER BY due_at, key LIMIT ?')
    this.#remove = db.prepare('DELETE FROM delayed WHERE key = ?')
    this.#next = db.prepare('SELECT min(due_at) AS next FROM delayed')
    // two, as SQLite goes over all of one time to find those behind a key among them otherwise
    const names = 'SELECT key, topic, id, due_at FROM delayed'
    this.#ofTime = db.prepare(`${names} WHERE due_at = ? AND key > ? ORDER BY key LIMIT ?`)
    this.#later = db.prepare(`${names} WHERE due_at > ? ORDER BY due_at, key LIMIT ?`)
    this.#at = db.prepare('SELECT topic, id, due_at, payload, attributes FROM delayed WHERE key = ?')
    this.#cancel = db.prepare('DELETE FROM delayed WHERE topic = ? AND id = ?')
  }

  /** How many wait, by the keys of their topics. */
  counts(): Map<number, number> {
    const rows = this.#db.prepare('SELECT topic, count(*) AS count FROM delayed GROUP BY topic').all()
    return new Map(rows.map(({ topic, count }) => [Number(topic), Number(count)]))
  }

  /** Makes none wait for longer than it was to wait at first, counted from `now`: the wall clock may have been set back. */
  shorten(now: number): void {
    this.#db.prepare('UPDATE delayed SET due_at = ? + delay_ms WHERE due_at > ? + delay_ms').run(now, now)
  }

  /** Adds a message. @param delayMs bounds how long it waits, whatever the wall clock says */
  insert({ topic, id, dueAt, payload, attributes }: DelayedRow, delayMs: number): void {
    this.#insert.run(topic, id, dueAt, delayMs, payload, attributes)
  }

  /** The one of a topic with an id. */
  find(topic: number, id: string): DelayedRow | undefined {
    const row = this.#find.get(topic, id)
    return row === undefined ? undefined : delayedRow(row)
  }

  /** Takes out those that are due by `now`, the first one in front, those of one time in the order that they came. */
  takeDue(now: number, { messages, characters }: ReadLimits): DelayedRow[] {
    const keys: number[] = []
    const taken: DelayedRow[] = []
    let left = characters
    for (const row of this.#due.iterate(now, messages)) {
      const message = delayedRow(row)
      keys.push(Number(row.key))
      taken.push(message)
      left -= sizeOf(message)
      if (left <= 0) break
    }
    for (const key of keys) this.#remove.run(key)
    return taken
  }

  /** The next `most` ones behind a place, the first one in front, without what they say. */
  behind({ dueAt, nr }: DelayedPlace, most: number): DelayedName[] {
    const rows = this.#ofTime.all(dueAt, nr, most)
    if (rows.length < most) rows.push(...this.#later.all(dueAt, most - rows.length))
    return rows.map((row) => ({
      nr: Number(row.key),
      topic: Number(row.topic),
      id: String(row.id),
      dueAt: Number(row.due_at),
    }))
  }

  /** One of these. */
  at(nr: number): DelayedRow | undefined {
    const row = this.#at.get(nr)
    return row === undefined ? undefined : delayedRow(row)
  }

  /** Removes the one of a topic with an id. False where there is none. */
  remove(topic: number, id: string): boolean {
    return this.#cancel.run(topic, id).changes > 0
  }

  /** When the first one is due; Infinity when there is none. */
  next(): number {
    const next = this.#next.get()?.next
    return next === null || next === undefined ? Number.POSITIVE_INFINITY : Number(next)
  }
}

function delayedRow(row: Record<string, unknown>): DelayedRow {
  return {
    topic: Number(row.topic),
    id: String(row.id),
    dueAt: Number(row.due_at),
    payload: String(row.payload),
    attributes: String(row.attributes),
  }
}
