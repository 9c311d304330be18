import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../clock.ts'
import { DriverError } from '../../driver-error.ts'
import { type FileLock, takeLock } from '../../file-lock.ts'
import { makePrivateFolder } from '../../private-folder.ts'
import { type OpenDatabase, openToWrite } from '../../sqlite-opening.ts'
import { isBusy } from '../../sqlite-results.ts'
import { withAdvice } from '../../sqlite-soundness.ts'
import { toDriverError } from './sqlite-fault.ts'

/** Of the tables as they are now. */
export const SCHEMA_VERSION = 6

/** Writes what is there already. */
export const REWRITE_VERSION = `PRAGMA user_version = ${SCHEMA_VERSION}`

/** Messages that wait for another of their key. */
const HELD = `
CREATE TABLE held(
  subscription INTEGER NOT NULL, message_key TEXT NOT NULL, position INTEGER NOT NULL, topic INTEGER NOT NULL,
  offset INTEGER NOT NULL, attempt INTEGER NOT NULL,
  PRIMARY KEY(subscription, message_key, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_of_topic ON held(subscription, topic, offset);
`

/** Messages that wait for their time, wall clock, and how long they were to wait. */
const DELAYED = `
CREATE TABLE delayed(
  key INTEGER PRIMARY KEY, topic INTEGER NOT NULL, id TEXT NOT NULL, due_at INTEGER NOT NULL, delay_ms INTEGER NOT NULL,
  payload TEXT NOT NULL, attributes TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX delayed_of_topic ON delayed(topic, id);
CREATE INDEX delayed_by_time ON delayed(due_at);
`

/**
 * `messages.position` orders all topics, `offset` one topic. The index holds the id too, so that the ids of a topic's
 * newest messages are read without their payloads. `unsettled` has one row for each message handed out and neither
 * acknowledged nor dead; `not_before` (wall clock) is null while it is on lease, `spared` are deliveries that weren't in vain.
 * `held` has what a subscription passed over because another message of the same key is among its `unsettled`. A subscription
 * to a topic has its place in `cursors`, one to a pattern in its own `position`.
 */
const SCHEMA = `
CREATE TABLE topics(
  key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  first_offset INTEGER NOT NULL DEFAULT 1, last_position INTEGER NOT NULL DEFAULT 0,
  owner TEXT
) STRICT;
CREATE TABLE messages(
  position INTEGER PRIMARY KEY, topic INTEGER NOT NULL, offset INTEGER NOT NULL, id TEXT NOT NULL,
  timestamp INTEGER NOT NULL, payload TEXT NOT NULL, attributes TEXT NOT NULL
) STRICT;
CREATE INDEX messages_of_topic ON messages(topic, offset, id);
CREATE TABLE subscriptions(
  key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, pattern TEXT NOT NULL, consumer_group TEXT,
  push_url TEXT, max_deliver INTEGER NOT NULL, ack_wait_ms REAL NOT NULL, start_offset INTEGER NOT NULL,
  expires_after_ms REAL, owner TEXT, position INTEGER, active_at INTEGER NOT NULL DEFAULT 0,
  give_up_after_ms REAL NOT NULL DEFAULT 86400000
) STRICT;
CREATE UNIQUE INDEX subscriptions_of_group ON subscriptions(pattern, consumer_group) WHERE consumer_group IS NOT NULL;
CREATE TABLE cursors(
  subscription INTEGER NOT NULL, topic INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY(subscription, topic)
) STRICT, WITHOUT ROWID;
CREATE TABLE unsettled(
  subscription INTEGER NOT NULL, position INTEGER NOT NULL, deliveries INTEGER NOT NULL, attempt INTEGER NOT NULL,
  not_before INTEGER, delay_ms REAL, spared INTEGER NOT NULL DEFAULT 0, waited_ms REAL NOT NULL DEFAULT 0,
  PRIMARY KEY(subscription, position)
) STRICT, WITHOUT ROWID;
${HELD}${DELAYED}
CREATE TABLE dead_letters(
  key INTEGER PRIMARY KEY AUTOINCREMENT, subscription INTEGER NOT NULL, position INTEGER NOT NULL,
  topic INTEGER NOT NULL, offset INTEGER NOT NULL, id TEXT NOT NULL, timestamp INTEGER NOT NULL,
  payload TEXT NOT NULL, attributes TEXT NOT NULL, deliveries INTEGER NOT NULL, attempt INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letters_of_subscription ON dead_letters(subscription);
CREATE INDEX dead_letters_of_id ON dead_letters(id);
PRAGMA user_version = ${SCHEMA_VERSION};
`

/** From version 1, in which nothing ended by itself: what has no group gets a day from now, as if it had been made today. */
const TO_VERSION_2 = `
ALTER TABLE subscriptions ADD COLUMN expires_after_ms REAL;
ALTER TABLE subscriptions ADD COLUMN owner TEXT;
ALTER TABLE subscriptions ADD COLUMN position INTEGER;
ALTER TABLE subscriptions ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0;
UPDATE subscriptions SET active_at = unixepoch('subsec') * 1000;
UPDATE subscriptions SET expires_after_ms = 86400000 WHERE consumer_group IS NULL AND push_url IS NULL;
CREATE INDEX dead_letters_of_id ON dead_letters(id);
PRAGMA user_version = 2;
`

/** From version 2, in which nobody was said to have made a topic. */
const TO_VERSION_3 = `
ALTER TABLE topics ADD COLUMN owner TEXT;
PRAGMA user_version = 3;
`

/** From version 3, in which every delivery counted as in vain. */
const TO_VERSION_4 = `
ALTER TABLE subscriptions ADD COLUMN give_up_after_ms REAL NOT NULL DEFAULT 86400000;
ALTER TABLE unsettled ADD COLUMN spared INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unsettled ADD COLUMN waited_ms REAL NOT NULL DEFAULT 0;
PRAGMA user_version = 4;
`

/** From version 4, in which keys made no difference. */
const TO_VERSION_5 = `${HELD}PRAGMA user_version = 5;`

/** From version 5, in which every message took its place at once. */
const TO_VERSION_6 = `${DELAYED}PRAGMA user_version = 6;`

/** What brings a file up to date, from version 1 on. */
const UPDATES = [TO_VERSION_2, TO_VERSION_3, TO_VERSION_4, TO_VERSION_5, TO_VERSION_6]

const PATIENCE_MS = 5000

const PRAGMAS = 'PRAGMA cache_size = -8000; PRAGMA journal_size_limit = 16777216'

/** Where the bus lies in a data folder. */
export function busFile(folder: string): string {
  return join(folder, 'bus.db')
}

/** The bus's file, open, and the lock by which no other broker has it. */
export interface OpenBusFile extends OpenDatabase {
  readonly lock: FileLock
}

/**
 * Opens `<folder>/bus.db` (made when missing, folder 0700, file 0600) as its only writer, which a lock of its own keeps, `bus.db.lock`: what the
 * driver keeps in memory is only right while nobody else writes. Others may read it meanwhile, and so take a backup of it.
 * @param patienceMs how long to wait for a predecessor that is just ending. Default 5 s.
 * @throws DriverError `unavailable` when another process keeps it open, or the file can't be opened; `full`;
 * `damaged`; `invalid` when a newer version wrote it.
 */
export async function openDatabase(
  folder: string,
  clock: Clock,
  patienceMs: number = PATIENCE_MS,
): Promise<OpenBusFile> {
  const path = busFile(folder)
  const until = clock.monotonic() + patienceMs
  for (;;) {
    const opened = openAlone(path)
    if (opened) return opened
    if (clock.monotonic() >= until) {
      throw new DriverError('unavailable', `${path} is in use by another process; stop that one first`)
    }
    await sleep(50)
  }
}

/** Undefined while another process has it. */
function openAlone(path: string): OpenBusFile | undefined {
  let lock: FileLock | undefined
  try {
    makePrivateFolder(dirname(path))
    lock = takeLock(`${path}.lock`)
    if (lock === undefined) return undefined
    return { ...openToWrite(path, { pragmas: PRAGMAS, prepare: (db) => bringUpToDate(db, path) }), lock }
  } catch (fault) {
    lock?.release()
    if (isBusy(fault)) return undefined
    throw toDriverError(withAdvice(fault, path))
  }
}

function bringUpToDate(db: DatabaseSync, path: string): void {
  db.exec('BEGIN IMMEDIATE')
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (version > SCHEMA_VERSION) {
    const what = `its tables are of version ${version}, and this program knows ${SCHEMA_VERSION}`
    throw new DriverError(
      'invalid',
      `${path} was written by a newer version (${what}); run that one, or put back a backup from before`,
    )
  }
  if (version === 0) db.exec(SCHEMA)
  else for (const update of UPDATES.slice(version - 1)) db.exec(update)
  db.exec('COMMIT')
}
