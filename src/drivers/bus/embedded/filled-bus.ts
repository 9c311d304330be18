import type { DatabaseSync } from 'node:sqlite'
import { DriverError } from '../../driver-error.ts'
import { topicPattern } from '../topic-pattern.ts'
import type { BusFilling, BusRest, BusSnapshot, KeptMessage, KeptSubscription } from '../transfer.ts'
import { attributesText } from './attributes-text.ts'
import { busSnapshotOn, FILLING_TABLE } from './bus-snapshot.ts'
import type { OpenBusFile } from './database.ts'
import { MessageRows } from './message-rows.ts'
import { toDriverError } from './sqlite-fault.ts'
import { SubscriptionRows } from './subscription-rows.ts'

/**
 * Fills a bus's file that nobody else has open. Messages keep their places and offsets; where those have gaps, the offsets are given anew.
 * @param run names the run that fills it
 */
export function fillBusFile(opened: OpenBusFile, run: string): BusFilling {
  return new FilledBus(opened, run)
}

/** A bus that was being filled is one like any other from now on. Throws what node:sqlite throws. */
export function endFilling(db: DatabaseSync): void {
  db.exec(`DROP TABLE IF EXISTS ${FILLING_TABLE}`)
}

class FilledBus implements BusFilling {
  readonly #opened: OpenBusFile
  readonly #db: DatabaseSync
  readonly #messages: MessageRows
  readonly #subscriptions: SubscriptionRows
  /** Keys and last offsets of the topics, by name. */
  readonly #topics = new Map<string, { readonly key: number; last: number }>()
  #place: number

  constructor(opened: OpenBusFile, run: string) {
    this.#opened = opened
    this.#db = opened.database
    this.#messages = new MessageRows(this.#db)
    this.#subscriptions = new SubscriptionRows(this.#db)
    this.#db.exec(`CREATE TABLE IF NOT EXISTS ${FILLING_TABLE}(run TEXT NOT NULL) STRICT; DELETE FROM ${FILLING_TABLE}`)
    this.#db.prepare(`INSERT INTO ${FILLING_TABLE} VALUES (?)`).run(run)
    for (const { key, name, last } of this.#messages.topics()) this.#topics.set(name, { key, last })
    this.#place = Number(this.#db.prepare('SELECT max(position) AS place FROM messages').get()?.place ?? 0)
  }

  get place(): number {
    return this.#place
  }

  async add(messages: readonly KeptMessage[]): Promise<void> {
    this.#transaction(() => {
      for (const message of messages) {
        const topic = this.#topic(message.topic)
        const { place, id, timestamp, payload, offset = topic.last + 1 } = message
        this.#messages.insert([place, topic.key, offset, id, timestamp, payload, attributesText(message)])
        topic.last = Math.max(topic.last, offset)
      }
    })
    this.#place = messages.at(-1)?.place ?? this.#place
  }

  async complete(source: BusSnapshot): Promise<void> {
    const [topics, subscriptions] = [await source.topics(), await source.subscriptions()]
    this.#transaction(() => {
      for (const { name, owner = null, offsets } of topics) {
        const { key } = this.#topic(name)
        this.#db
          .prepare('UPDATE topics SET owner = ?, first_offset = ? WHERE key = ?')
          .run(owner, offsets?.first ?? 1, key)
        // what was published and is gone counts on
        if (offsets) this.#db.prepare('UPDATE topics SET last_position = ? WHERE key = ?').run(this.#place, key)
      }
      for (const table of ['subscriptions', 'cursors', 'unsettled', 'held', 'dead_letters', 'delayed']) {
        this.#db.exec(`DELETE FROM ${table}`)
      }
      for (const subscription of subscriptions) this.#subscribe(subscription)
    })
    const keys = new Map(this.#subscriptions.all().map(({ id, key }) => [id, key]))
    await this.#addLetters(source, keys)
    await this.#addDelayed(source)
  }

  async *messages(after: number): AsyncGenerator<readonly KeptMessage[]> {
    yield* this.#there().messages(after)
  }

  async rest(): Promise<BusRest> {
    const there = this.#there()
    return {
      topics: await there.topics(),
      subscriptions: await there.subscriptions(),
      deadLetters: await Array.fromAsync(there.deadLetters()),
      delayed: await Array.fromAsync(there.delayed()),
    }
  }

  #there(): BusSnapshot {
    return busSnapshotOn(this.#db, 'the target')
  }

  async end(): Promise<void> {
    this.#transaction(() => endFilling(this.#db))
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close()
    this.#opened.lock.release()
  }

  #topic(name: string): { readonly key: number; last: number } {
    const known = this.#topics.get(name)
    if (known) return known
    const made = { key: this.#messages.insertTopic(name, undefined), last: 0 }
    this.#topics.set(name, made)
    return made
  }

  #subscribe({ id, topic, group, owner, push, after, out, held, activeAt, ...terms }: KeptSubscription): void {
    const { exact } = topicPattern(topic)
    const { maxDeliver, ackWaitMs, giveUpAfterMs, expiresAfterMs } = terms
    const key = this.#subscriptions.insert({
      id,
      pattern: topic,
      group,
      owner,
      pushUrl: push?.url,
      maxDeliver,
      ackWaitMs,
      giveUpAfterMs,
      expiresAfterMs,
      startOffset: 1,
      position: exact ? undefined : after,
      activeAt,
    })
    const known = exact ? this.#topics.get(topic) : undefined
    if (known) this.#subscriptions.setCursor(key, known.key, this.#offsetBehind(known, after))
    const unsettled = this.#db.prepare(
      `INSERT INTO unsettled(subscription, position, deliveries, attempt, not_before, delay_ms, spared, waited_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    for (const { place, deliveries, attempt, isLeased, wait, spared, waitedMs } of out) {
      const { notBefore = 0, delayMs = 0 } = wait ?? {}
      const when = isLeased ? [null, null] : [Math.ceil(notBefore), delayMs]
      unsettled.run(key, place, deliveries, attempt, ...when, spared, waitedMs)
    }
    const hold = this.#db.prepare(
      'INSERT INTO held(subscription, message_key, position, topic, offset, attempt) VALUES (?, ?, ?, ?, ?, ?)',
    )
    for (const { place, key: messageKey, attempt } of held) {
      const row = this.#messages.at(place)
      if (row === undefined) throw lost(id, place)
      hold.run(key, messageKey, place, row.topic, row.offset, attempt)
    }
  }

  #offsetBehind({ key, last }: { readonly key: number; readonly last: number }, after: number): number {
    const find = this.#db.prepare('SELECT min(offset) AS next FROM messages WHERE topic = ? AND position > ?')
    const next = find.get(key, after)?.next
    const { first_offset: first } = this.#db.prepare('SELECT first_offset FROM topics WHERE key = ?').get(key) ?? {}
    return Math.max(next === null || next === undefined ? last + 1 : Number(next), Number(first))
  }

  async #addLetters(source: BusSnapshot, keys: ReadonlyMap<string, number>): Promise<void> {
    const add = this.#db.prepare(
      `INSERT INTO dead_letters(subscription, position, topic, offset, id, timestamp, payload, attributes, deliveries, attempt, reason)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    for await (const letter of source.deadLetters()) {
      const subscription = keys.get(letter.subscription)
      if (subscription === undefined) continue
      const { place, id, timestamp, payload, deliveries, attempt, reason } = letter
      const { key } = this.#topic(letter.topic)
      const offset = letter.offset ?? this.#messages.at(place)?.offset ?? 0
      const content = [id, timestamp, payload, attributesText(letter)] as const
      this.#transaction(() => add.run(subscription, place, key, offset, ...content, deliveries, attempt, reason))
    }
  }

  async #addDelayed(source: BusSnapshot): Promise<void> {
    const add = this.#db.prepare(
      'INSERT INTO delayed(topic, id, due_at, delay_ms, payload, attributes) VALUES (?, ?, ?, ?, ?, ?)',
    )
    for await (const message of source.delayed()) {
      const { topic, id, dueAt, delayMs, payload } = message
      this.#transaction(() => add.run(this.#topic(topic).key, id, dueAt, delayMs, payload, attributesText(message)))
    }
  }

  #transaction(work: () => void): void {
    try {
      this.#db.exec('BEGIN IMMEDIATE')
      work()
      this.#db.exec('COMMIT')
    } catch (fault) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw toDriverError(fault)
    }
  }
}

function lost(subscription: string, place: number): DriverError {
  return new DriverError(
    'damaged',
    `the subscription ${subscription} waits for a message at ${place} that is not there`,
  )
}
