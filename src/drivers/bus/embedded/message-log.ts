import type { SQLInputValue } from 'node:sqlite'
import type { Publication, Receipt, StoredMessage } from '../contract.ts'
import type { TopicPattern } from '../topic-pattern.ts'
import type { Transaction } from './group-commit.ts'
import { mergeRuns, type RunStart } from './merge-runs.ts'
import { type MessageRow, type MessageRows, sizeOf } from './message-rows.ts'
import { DEDUP_WINDOW, RecentIds } from './recent-ids.ts'

/** A topic in memory. Its offsets `first` to `last` are on disk without gaps; `last` is 0 before the first message. */
export interface Topic {
  readonly key: number
  readonly name: string
  first: number
  last: number
  lastPosition: number
  /** Read from disk when the topic is first published to. */
  recent: RecentIds | undefined
  /** Where the ids stand that this transaction added. */
  readonly uncommitted: Map<string, { hash: number; offset: number }>
}

/** Where a reader stands in one topic: it wants the message at `offset`, which is still kept, and what follows. */
export interface ReadFrom extends RunStart {
  readonly topic: Topic
}

/** What the log works with. */
export interface MessageLogOptions {
  readonly rows: MessageRows
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number
  /** Seeds the hash of ids. */
  readonly seed: number
  /** Told of each topic at its first message, within the transaction. */
  readonly topicMade: (topic: Topic, tx: Transaction) => void
}

/** The messages of all topics: appends them with their offsets, recognises duplicates, reads them back. */
export class MessageLog {
  readonly #rows: MessageRows
  readonly #now: () => number
  readonly #seed: number
  readonly #topicMade: (topic: Topic, tx: Transaction) => void
  readonly #byName = new Map<string, Topic>()
  readonly #byKey = new Map<number, Topic>()
  #end = 0
  /** Rows of this transaction, held back to be written together. */
  #held: SQLInputValue[] = []

  constructor({ rows, now, seed, topicMade }: MessageLogOptions) {
    this.#rows = rows
    this.#now = now
    this.#seed = seed
    this.#topicMade = topicMade
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

  /** The topic with a key. */
  topic(key: number): Topic | undefined {
    return this.#byKey.get(key)
  }

  /** Gives messages their offsets and hands their rows to `writeHeld`; a duplicate gets the receipt of the first one. */
  append(tx: Transaction, publications: readonly Publication[]): { receipts: Receipt[]; topics: Set<Topic> } {
    const timestamp = Math.floor(this.#now())
    const touched = new Set<Topic>()
    const receipts = publications.map((message): Receipt => {
      const { id, topic: name } = message
      const topic = this.#byName.get(name) ?? this.#make(tx, name)
      const recent = this.#recent(topic)
      const hash = recent.hash(id)
      const known = this.#known(topic, recent, hash, id)
      if (known !== undefined) return { id, topic: name, offset: known, duplicate: true }
      if (!touched.has(topic)) {
        touched.add(topic)
        this.#remember(tx, topic)
      }
      const offset = ++topic.last
      topic.lastPosition = ++this.#end
      topic.uncommitted.set(id, { hash, offset })
      const attributes = JSON.stringify(message.attributes)
      this.#held.push(this.#end, topic.key, offset, id, timestamp, message.payload, attributes)
      return { id, topic: name, offset, duplicate: false }
    })
    return { receipts, topics: touched }
  }

  /** Writes the rows that `append` held back. Call it before reading in the same transaction, and before its commit. */
  writeHeld(): void {
    if (this.#held.length === 0) return
    this.#rows.insert(this.#held)
    this.#held = []
  }

  /**
   * Messages from several topics in the order they were stored. Fills in the `head` of each start.
   * @param limits most messages, and the characters of payload and attributes after which no further message is taken.
   */
  read(from: readonly ReadFrom[], { messages, characters }: { messages: number; characters: number }): MessageRow[] {
    const found: MessageRow[] = []
    if (messages <= 0) return found
    const fetch = ({ topic }: ReadFrom, offset: number, limit: number) => this.#rows.run(topic.key, offset, limit)
    let left = characters
    for (const position of mergeRuns(from, fetch, messages)) {
      const row = this.#rows.at(position)
      if (row === undefined) continue
      found.push(row)
      left -= sizeOf(row)
      if (left <= 0) break
    }
    return found
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
    const attributes: Record<string, string> = JSON.parse(text)
    return { id, topic: this.#byKey.get(topic)?.name ?? '', offset, timestamp, payload, attributes }
  }

  /** The topics that fit a pattern. */
  matching(pattern: TopicPattern): Topic[] {
    const exact = this.#byName.get(pattern.source)
    if (exact !== undefined) return [exact]
    return [...this.#byName.values()].filter((topic) => pattern.matches(topic.name))
  }

  #known(topic: Topic, recent: RecentIds, hash: number, id: string): number | undefined {
    const just = topic.uncommitted.get(id)
    if (just !== undefined) return just.offset
    const found = recent.find(hash, (offset) => this.#rows.idAt(topic.key, offset) === id)
    return found !== undefined && found > topic.last - DEDUP_WINDOW ? found : undefined
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

  #make(tx: Transaction, name: string): Topic {
    const key = this.#rows.insertTopic(name)
    const topic = {
      key,
      name,
      first: 1,
      last: 0,
      lastPosition: 0,
      recent: new RecentIds(this.#seed),
      uncommitted: new Map(),
    }
    tx.undo(() => {
      this.#byName.delete(name)
      this.#byKey.delete(key)
    })
    this.#add(topic)
    this.#topicMade(topic, tx)
    return topic
  }

  #add(topic: Topic): void {
    this.#byName.set(topic.name, topic)
    this.#byKey.set(topic.key, topic)
  }
}
