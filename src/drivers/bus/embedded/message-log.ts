import type { SQLInputValue } from 'node:sqlite'
import { DriverError } from '../../driver-error.ts'
import { MOST_ATOMIC, type Publication, type Receipt, type StoredMessage } from '../publisher.ts'
import { attributesText, readAttributes } from './attributes-text.ts'
import type { DelayedMessages } from './delayed-messages.ts'
import type { DelayedRow } from './delayed-rows.ts'
import type { Transaction } from './group-commit.ts'
import { type MessageRow, type MessageRows, type ReadLimits, sizeOf } from './message-rows.ts'
import { DEDUP_WINDOW, RecentIds } from './recent-ids.ts'
import type { TopicRoom } from './topic-room.ts'

/** A topic in memory. Its offsets `first` to `last` are on disk without gaps; `last` is 0 before the first message. */
export interface Topic {
  readonly key: number
  readonly name: string
  /** Who made it; undefined counts for nobody. */
  readonly owner: string | undefined
  first: number
  last: number
  lastPosition: number
  /** Read from disk when the topic is first published to. */
  recent: RecentIds | undefined
  /** Where the ids stand that this transaction added. */
  readonly uncommitted: Map<string, { hash: number; offset: number }>
}

/** What a look behind a position found, and up to which position it looked. */
export interface Found {
  readonly rows: readonly MessageRow[]
  readonly position: number
}

/** Rows that one look goes over, whether they are wanted or not: some 1 ms of work. */
const LOOK = 1000
/** Characters of those that aren't wanted after which it ends. */
const MOST_PASSED = 16 * 1024 * 1024

const ALL = () => true

/** The messages that have no place yet, as the log knows them. */
type Waiting = Pick<DelayedMessages, 'find' | 'add' | 'room' | 'noRoom'>

/** What the log works with. */
export interface MessageLogOptions {
  readonly rows: MessageRows
  /** Those that have no place yet. */
  readonly delayed: Waiting
  readonly room: TopicRoom
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number
  /** Seeds the hash of ids. */
  readonly seed: number
}

/** The messages of all topics: appends them with their offsets, recognises duplicates, reads them back. */
export class MessageLog {
  readonly #rows: MessageRows
  readonly #delayed: Waiting
  readonly #now: () => number
  readonly #seed: number
  readonly #room: TopicRoom
  readonly #byName = new Map<string, Topic>()
  readonly #byKey = new Map<number, Topic>()
  #end = 0
  /** Rows of this transaction, held back to be written together. */
  #held: SQLInputValue[] = []

  constructor({ rows, delayed, room, now, seed }: MessageLogOptions) {
    this.#rows = rows
    this.#delayed = delayed
    this.#room = room
    this.#now = now
    this.#seed = seed
    for (const row of rows.topics()) {
      this.#add({ ...row, recent: undefined, uncommitted: new Map() })
      this.#end = Math.max(this.#end, row.lastPosition)
    }
  }

  /** The newest position, 0 before the first message. */
  get end(): number {
    return this.#end
  }

  /** Every topic, in the order they came to be. */
  topics(): Iterable<Topic> {
    return this.#byName.values()
  }

  /** The topic with a name. */
  named(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  /** The topic with a key. */
  topic(key: number): Topic | undefined {
    return this.#byKey.get(key)
  }

  /** Throws DriverError `too-many` when messages are for more new topics than there may be, or than are left of their owner's share, or more are to wait than may. */
  checkRoom(messages: readonly Publication[], owner: string | undefined): void {
    this.#room.check(messages, owner, this.#byName)
    const { room } = this.#delayed
    const toWait = messages.filter(({ delayMs = 0 }) => delayMs > 0)
    // most have room, and need no look at what is there
    if (toWait.length <= room) return
    if (toWait.filter((message) => !this.#isKept(message)).length > room) throw this.#delayed.noRoom()
  }

  /** Throws DriverError `conflict` where a message has the id of another, kept or beside it, and says something else; `invalid` for more than may be. */
  wantAllOrNone(publications: readonly Publication[]): void {
    if (publications.length > MOST_ATOMIC) {
      throw new DriverError(
        'invalid',
        `at most ${MOST_ATOMIC} messages are published all or none: publish them in parts`,
      )
    }
    const beside = new Map<string, string>()
    for (const message of publications) {
      const { id, topic: name, payload } = message
      const key = JSON.stringify([name, id])
      const topic = this.#byName.get(name)
      const recent = topic && this.#recent(topic)
      const kept = topic && recent && this.#known(topic, recent, recent.hash(id), id)
      const waiting = topic && this.#delayed.find(topic.key, id)
      const differs = kept !== undefined && topic !== undefined && this.#differs(topic, kept, message)
      if (differs || (waiting?.payload ?? payload) !== payload || (beside.get(key) ?? payload) !== payload) {
        throw new DriverError(
          'conflict',
          `an earlier message of ${name} has the id of one of these and says something else`,
        )
      }
      beside.set(key, payload)
    }
  }

  /** Gives messages their offsets and hands their rows to `writeHeld`, or has them wait; a duplicate gets the receipt of the first one. */
  append(
    tx: Transaction,
    publications: readonly Publication[],
    owner: string | undefined,
  ): { receipts: Receipt[]; topics: Set<Topic> } {
    const timestamp = Math.floor(this.#now())
    const touched = new Set<Topic>()
    const receipts = publications.map((message): Receipt => {
      const { id, topic: name } = message
      const topic = this.#byName.get(name) ?? this.#make(tx, name, owner)
      const recent = this.#recent(topic)
      const hash = recent.hash(id)
      const known = this.#known(topic, recent, hash, id)
      if (known !== undefined) {
        const receipt = { id, topic: name, offset: known, duplicate: true }
        return this.#differs(topic, known, message) ? { ...receipt, differs: true } : receipt
      }
      const waiting = this.#delayed.find(topic.key, id)
      if (waiting !== undefined) {
        const receipt = { id, topic: name, deliverAt: waiting.dueAt, duplicate: true }
        return waiting.payload === message.payload ? receipt : { ...receipt, differs: true }
      }
      const row = { topic: topic.key, id, payload: message.payload, attributes: attributesText(message) }
      if (message.delayMs !== undefined && message.delayMs > 0) {
        return { id, topic: name, deliverAt: this.#delayed.add(tx, row, message.delayMs), duplicate: false }
      }
      const offset = this.#store(tx, touched, topic, hash, row, timestamp)
      return { id, topic: name, offset, duplicate: false }
    })
    return { receipts, topics: touched }
  }

  /** Gives messages that waited their offsets, and their rows to `writeHeld`. Returns the topics that they are of. */
  place(tx: Transaction, delayed: readonly DelayedRow[]): Set<Topic> {
    const timestamp = Math.floor(this.#now())
    const touched = new Set<Topic>()
    for (const row of delayed) {
      const topic = this.#byKey.get(row.topic)
      if (topic !== undefined) this.#store(tx, touched, topic, this.#recent(topic).hash(row.id), row, timestamp)
    }
    return touched
  }

  /** Writes the rows that `append` held back. Call it before reading in the same transaction, and before its commit. */
  writeHeld(): void {
    if (this.#held.length === 0) return
    this.#rows.insert(this.#held)
    this.#held = []
  }

  /** A topic's messages from an offset on, in order: those wanted among the next ones, and the offset behind the last that it looked at. */
  read(
    topic: Topic,
    from: number,
    { messages, characters }: ReadLimits,
    wants: (row: MessageRow) => boolean = ALL,
  ): { rows: MessageRow[]; next: number } {
    const rows: MessageRow[] = []
    let left = characters
    let passed = MOST_PASSED
    let next = from
    if (messages <= 0 || from > topic.last) return { rows, next }
    for (const row of this.#rows.ofTopic(topic.key, from, Math.max(messages, LOOK))) {
      next = row.offset + 1
      if (wants(row)) {
        rows.push(row)
        left -= sizeOf(row)
      } else {
        passed -= sizeOf(row)
      }
      if (rows.length >= messages || left <= 0 || passed <= 0) break
    }
    return { rows, next }
  }

  /** The wanted messages of all topics behind a position, in the order they were stored, among the next LOOK ones. */
  readBehind(
    position: number,
    wants: (topic: Topic, offset: number) => boolean,
    { messages, characters }: ReadLimits,
    wanted: (row: MessageRow) => boolean = ALL,
  ): Found {
    const rows: MessageRow[] = []
    if (messages <= 0) return { rows, position }
    let at = position
    let left = characters
    let passed = MOST_PASSED
    let looked = 0
    for (const place of this.#rows.placesBehind(position, LOOK)) {
      looked++
      at = place.position
      const topic = this.#byKey.get(place.topic)
      if (topic === undefined || !wants(topic, place.offset)) continue
      const row = this.#rows.at(at)
      if (row === undefined) continue
      if (wanted(row)) {
        rows.push(row)
        left -= sizeOf(row)
      } else {
        passed -= sizeOf(row)
      }
      if (rows.length >= messages || left <= 0 || passed <= 0) return { rows, position: at }
    }
    return { rows, position: looked < LOOK ? this.#end : at }
  }

  /** Where a topic's message stands among all topics. */
  positionOf(topic: Topic, offset: number): number | undefined {
    return this.#rows.positionOf(topic.key, offset)
  }

  /** The message at a position. */
  at(position: number): MessageRow | undefined {
    return this.#rows.at(position)
  }

  /** Writes a message back in its old place, for a redriven one whose row was trimmed. */
  restore(row: MessageRow): void {
    this.#rows.restore(row)
  }

  /**
   * The first offset of a topic that is stored behind a position. Both grow together, so this is a search: from the end in
   * doubling steps, as most readers are near it, then by halves.
   */
  offsetBehind(topic: Topic, position: number): number {
    const isBehind = (offset: number) => (this.#rows.positionOf(topic.key, offset) ?? 0) > position
    let low = topic.first
    let high = topic.last + 1
    for (let step = 1; high - step > low; step *= 2) {
      if (!isBehind(high - step)) {
        low = high - step + 1
        break
      }
      high -= step
    }
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (isBehind(middle)) high = middle
      else low = middle + 1
    }
    return low
  }

  /** A row as a message. */
  message({ id, topic, offset, timestamp, payload, attributes: text }: MessageRow): StoredMessage {
    const name = this.#byKey.get(topic)?.name ?? ''
    return { id, topic: name, offset, timestamp, payload, ...readAttributes(text) }
  }

  #store(
    tx: Transaction,
    touched: Set<Topic>,
    topic: Topic,
    hash: number,
    { id, payload, attributes }: Pick<MessageRow, 'id' | 'payload' | 'attributes'>,
    timestamp: number,
  ): number {
    if (!touched.has(topic)) {
      touched.add(topic)
      this.#remember(tx, topic)
    }
    const offset = ++topic.last
    topic.lastPosition = ++this.#end
    topic.uncommitted.set(id, { hash, offset })
    this.#held.push(this.#end, topic.key, offset, id, timestamp, payload, attributes)
    return offset
  }

  #known(topic: Topic, recent: RecentIds, hash: number, id: string): number | undefined {
    const just = topic.uncommitted.get(id)
    if (just !== undefined) return just.offset
    const found = recent.find(hash, (offset) => this.#rows.idAt(topic.key, offset) === id)
    return found !== undefined && found > topic.last - DEDUP_WINDOW ? found : undefined
  }

  /** Whether it makes no second copy. */
  #isKept({ topic: name, id }: Publication): boolean {
    const topic = this.#byName.get(name)
    if (topic === undefined) return false
    if (this.#delayed.find(topic.key, id) !== undefined) return true
    const recent = this.#recent(topic)
    return this.#known(topic, recent, recent.hash(id), id) !== undefined
  }

  #differs(topic: Topic, offset: number, { payload }: Publication): boolean {
    this.writeHeld()
    const kept = this.#rows.payloadAt(topic.key, offset)
    return kept !== '' && kept !== payload
  }

  #recent(topic: Topic): RecentIds {
    if (topic.recent !== undefined) return topic.recent
    const recent = new RecentIds(this.#seed)
    for (const { id, offset } of this.#rows.idsFrom(topic.key, topic.last - DEDUP_WINDOW + 1)) {
      recent.add(recent.hash(id), offset)
    }
    topic.recent = recent
    return recent
  }

  #remember(tx: Transaction, topic: Topic): void {
    const { last, lastPosition } = topic
    const end = this.#end
    tx.undo(() => {
      topic.last = last
      topic.lastPosition = lastPosition
      topic.uncommitted.clear()
      this.#end = end
      this.#held = []
    })
    tx.after(() => {
      for (const { hash, offset } of topic.uncommitted.values()) topic.recent?.add(hash, offset)
      topic.uncommitted.clear()
    })
  }

  #make(tx: Transaction, name: string, owner: string | undefined): Topic {
    const key = this.#rows.insertTopic(name, owner)
    const topic = {
      key,
      name,
      owner,
      first: 1,
      last: 0,
      lastPosition: 0,
      recent: new RecentIds(this.#seed),
      uncommitted: new Map(),
    }
    tx.undo(() => {
      this.#byName.delete(name)
      this.#byKey.delete(key)
      this.#room.count(topic, -1)
    })
    this.#add(topic)
    return topic
  }

  #add(topic: Topic): void {
    this.#byName.set(topic.name, topic)
    this.#byKey.set(topic.key, topic)
    this.#room.count(topic, 1)
  }
}
