import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { DriverError } from '../../driver-error.ts'
import { asDamage } from '../../sqlite-soundness.ts'
import type { BusCounts, BusSnapshot, KeptDeadLetter, KeptDelayed, KeptMessage, KeptTopic } from '../transfer.ts'
import { readAttributes } from './attributes-text.ts'
import { busFile, SCHEMA_VERSION } from './database.ts'
import { subscriptionsIn } from './kept-subscriptions.ts'
import { toDriverError } from './sqlite-fault.ts'

/** In a file that is being filled: the run that fills it. */
export const FILLING_TABLE = 'filling'

/** Messages of one part, and the characters after which it ends. */
const PART_MESSAGES = 1_000
const PART_CHARACTERS = 2_000_000
const BUSY_MS = 5_000

/** A message's row, with what is known of its topic. */
const MESSAGES = `
SELECT position, name, offset, first_offset, id, timestamp, payload, attributes
FROM messages JOIN topics ON topics.key = messages.topic WHERE position > ? ORDER BY position LIMIT ${PART_MESSAGES}`
/** Dead letters whose messages are gone: one for each place. */
const LEFT_ALONE = `
SELECT min(key) AS key, position FROM dead_letters
WHERE NOT EXISTS (SELECT 1 FROM messages WHERE messages.position = dead_letters.position AND messages.payload <> '')
GROUP BY position ORDER BY position`
const LETTER =
  'SELECT dead_letters.*, name FROM dead_letters JOIN topics ON topics.key = topic WHERE dead_letters.key = ?'
const DEAD_LETTERS = `
SELECT dead_letters.*, topics.name, subscriptions.id AS subscription_id
FROM dead_letters JOIN topics ON topics.key = dead_letters.topic JOIN subscriptions ON subscriptions.key = dead_letters.subscription
ORDER BY dead_letters.key`
const DELAYED = `SELECT delayed.*, name FROM delayed JOIN topics ON topics.key = delayed.topic ORDER BY due_at, delayed.key`
const COUNTS = `
SELECT (SELECT count(*) FROM topics) AS topics, (SELECT count(*) FROM messages WHERE payload <> '') AS messages,
  (SELECT coalesce(sum(length(CAST(payload AS BLOB)) + length(attributes)), 0) FROM messages) AS bytes,
  (SELECT count(*) FROM subscriptions) AS subscriptions, (SELECT count(*) FROM dead_letters) AS deadLetters,
  (SELECT count(*) FROM delayed) AS delayed`

/** Counted in bytes as UTF-8; ids and topics are short. */
const LARGEST_FIRST = 'ORDER BY length(CAST(payload AS BLOB)) + length(CAST(attributes AS BLOB)) DESC LIMIT 1'
const LARGEST = ['messages', 'dead_letters', 'delayed'].map(
  (table) =>
    `SELECT ${table}.*, name FROM ${table} JOIN topics ON topics.key = ${table}.topic WHERE payload <> '' ${LARGEST_FIRST}`,
)

/** Reads the bus of a data folder as it is now; undefined where there is none. Throws DriverError. */
export function readBusFile(folder: string): BusSnapshot | undefined {
  const path = busFile(folder)
  if (!existsSync(path)) return undefined
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
    database.exec('BEGIN; SELECT 1 FROM sqlite_master')
    const snapshot = busSnapshotOn(database, path)
    return { ...snapshot, close: async () => void (database?.isOpen && database.close()) }
  } catch (fault) {
    database?.close()
    throw toDriverError(asDamage(fault, path))
  }
}

/**
 * What a connection sees of a bus whose transaction is open already, such as one of several databases' at one instant (sqlite-instant.ts); who opened it
 * closes it. Throws DriverError `invalid` for a file of another version.
 */
export function busSnapshotOn(db: DatabaseSync, path: string): BusSnapshot {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (version !== SCHEMA_VERSION) {
    const what =
      version > SCHEMA_VERSION ? 'newer version; use that one' : 'older version; start and stop its platform once'
    throw new DriverError('invalid', `${path} was written by ${version > SCHEMA_VERSION ? 'a' : 'an'} ${what}`)
  }
  const isFilled = db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(FILLING_TABLE) !== undefined
  const run = isFilled ? db.prepare(`SELECT run FROM ${FILLING_TABLE}`).get()?.run : undefined
  return {
    filledBy: run === undefined ? undefined : String(run),
    counts: async () => counts(db),
    topics: async () => topics(db),
    largest: async () => LARGEST.flatMap((sql) => db.prepare(sql).all()).map(contentOf),
    messages: (after) => messages(db, after),
    subscriptions: async () => subscriptionsIn(db),
    deadLetters: () => deadLetters(db),
    delayed: () => delayed(db),
    close: async () => {},
  }
}

function counts(db: DatabaseSync): BusCounts {
  const row = db.prepare(COUNTS).get() ?? {}
  const number = (name: keyof BusCounts) => Number(row[name])
  return {
    topics: number('topics'),
    messages: number('messages'),
    bytes: number('bytes'),
    subscriptions: number('subscriptions'),
    deadLetters: number('deadLetters'),
    delayed: number('delayed'),
  }
}

function topics(db: DatabaseSync): KeptTopic[] {
  const rows = db.prepare(
    'SELECT name, owner, first_offset, (SELECT max(offset) FROM messages WHERE topic = key) AS last FROM topics ORDER BY key',
  )
  return rows.all().map(({ name, owner, first_offset, last }) => ({
    name: String(name),
    ...(owner !== null && { owner: String(owner) }),
    offsets: { first: Number(first_offset), last: Math.max(Number(last ?? 0), Number(first_offset) - 1) },
  }))
}

async function* messages(db: DatabaseSync, after: number): AsyncGenerator<readonly KeptMessage[]> {
  const alone = db
    .prepare(LEFT_ALONE)
    .all()
    .map(({ key, position }) => ({ key: Number(key), place: Number(position) }))
    .filter((letter) => letter.place > after)
  const find = db.prepare(LETTER)
  const next = db.prepare(MESSAGES)
  let place = after
  for (;;) {
    const part: KeptMessage[] = []
    let left = PART_CHARACTERS
    const add = (message: KeptMessage) => {
      part.push(message)
      left -= message.payload.length
    }
    const addLetters = (upTo: number) => {
      for (; left > 0 && alone[0] !== undefined && alone[0].place <= upTo; alone.shift()) {
        add(messageOf(find.get(alone[0].key) ?? {}, 'apart'))
      }
    }
    for (const row of next.iterate(place)) {
      const at = Number(row.position)
      addLetters(at)
      if (left <= 0) break
      place = at
      // a letter has what its emptied message had
      if (part.at(-1)?.place !== at) add(messageOf(row, partOf(row)))
      if (left <= 0) break
    }
    if (part.length === 0) addLetters(Number.POSITIVE_INFINITY)
    if (part.length === 0) return
    yield part
  }
}

function partOf({ payload, offset, first_offset: first }: Row): KeptMessage['part'] {
  if (payload === '') return 'known'
  return Number(offset) < Number(first) ? 'apart' : 'kept'
}

type Row = Record<string, unknown>

function messageOf(row: Row, part: KeptMessage['part']): KeptMessage {
  return {
    place: Number(row.position),
    offset: Number(row.offset),
    timestamp: Number(row.timestamp),
    part,
    ...contentOf(row),
  }
}

function contentOf(row: Row) {
  const { attributes, form } = readAttributes(String(row.attributes))
  const content = { id: String(row.id), topic: String(row.name), payload: String(row.payload), attributes }
  return form === undefined ? content : { ...content, form }
}

async function* deadLetters(db: DatabaseSync): AsyncGenerator<KeptDeadLetter> {
  for (const row of db.prepare(DEAD_LETTERS).iterate()) {
    yield {
      ...contentOf(row),
      place: Number(row.position),
      offset: Number(row.offset),
      timestamp: Number(row.timestamp),
      subscription: String(row.subscription_id),
      deliveries: Number(row.deliveries),
      attempt: Number(row.attempt),
      reason: String(row.reason),
    }
  }
}

async function* delayed(db: DatabaseSync): AsyncGenerator<KeptDelayed> {
  for (const row of db.prepare(DELAYED).iterate()) {
    yield { ...contentOf(row), dueAt: Number(row.due_at), delayMs: Number(row.delay_ms) }
  }
}
