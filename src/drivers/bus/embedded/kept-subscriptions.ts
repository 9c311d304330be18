import type { DatabaseSync } from 'node:sqlite'
import { topicPattern } from '../topic-pattern.ts'
import type { KeptSubscription } from '../transfer.ts'
import { type SubscriptionRow, SubscriptionRows } from './subscription-rows.ts'

/** The subscriptions of a bus's file, the oldest first, with what they haven't done with. Throws what node:sqlite throws. */
export function subscriptionsIn(db: DatabaseSync): KeptSubscription[] {
  const rows = new SubscriptionRows(db)
  const held = db.prepare('SELECT position, message_key, attempt FROM held WHERE subscription = ? ORDER BY position')
  return rows.all().map((row) => {
    const { id, pattern, group, owner, pushUrl, maxDeliver, ackWaitMs, giveUpAfterMs, expiresAfterMs, activeAt } = row
    return {
      id,
      topic: pattern,
      maxDeliver,
      ackWaitMs,
      giveUpAfterMs,
      activeAt,
      ...(group !== undefined && { group }),
      ...(owner !== undefined && { owner }),
      ...(pushUrl !== undefined && { push: { url: pushUrl } }),
      ...(expiresAfterMs !== undefined && { expiresAfterMs }),
      after: topicPattern(pattern).exact ? placeInTopic(db, rows, row) : placeAmongAll(db, rows, row),
      out: rows
        .unsettled(row.key)
        .map(({ position, key, deliveries, attempt, spared, waitedMs, notBefore, delayMs }) => ({
          place: position,
          ...(key !== undefined && { key }),
          deliveries,
          attempt,
          spared,
          waitedMs,
          isLeased: notBefore === undefined,
          ...(notBefore !== undefined && notBefore > 0 && { wait: { notBefore, delayMs } }),
        })),
      held: held.all(row.key).map(({ position, message_key, attempt }) => ({
        place: Number(position),
        key: String(message_key),
        attempt: Number(attempt),
      })),
    }
  })
}

/** Behind which place the next message of its topic lies; what was trimmed away counts as passed. */
function placeInTopic(
  db: DatabaseSync,
  rows: SubscriptionRows,
  { key, pattern, startOffset }: SubscriptionRow,
): number {
  const topic = db
    .prepare('SELECT key, first_offset AS first, last_position AS last FROM topics WHERE name = ?')
    .get(pattern)
  if (topic === undefined) return 0
  const cursor = rows.cursors(key).find((one) => one.topic === Number(topic.key))
  const next = Math.max(cursor?.next ?? startOffset, Number(topic.first))
  const find = db.prepare('SELECT min(position) AS place FROM messages WHERE topic = ? AND offset >= ?')
  const place = find.get(Number(topic.key), next)?.place
  if (place !== null && place !== undefined) return Number(place) - 1
  const newest = db.prepare('SELECT max(position) AS place FROM messages WHERE topic = ?').get(Number(topic.key))?.place
  return Math.max(Number(newest ?? 0), Number(topic.last))
}

/** Where an older version had a cursor for each topic, it begins before the first message that it is not past: some come twice, none is missed. */
function placeAmongAll(
  db: DatabaseSync,
  rows: SubscriptionRows,
  { key, position, startOffset }: SubscriptionRow,
): number {
  if (position !== undefined) return position
  const passed = new Map(rows.cursors(key).map(({ topic, next }) => [topic, next]))
  for (const row of db
    .prepare("SELECT position, topic, offset FROM messages WHERE payload <> '' ORDER BY position")
    .iterate()) {
    if (Number(row.offset) >= (passed.get(Number(row.topic)) ?? startOffset)) return Number(row.position) - 1
  }
  return Number(db.prepare('SELECT max(position) AS place FROM messages').get()?.place ?? 0)
}
