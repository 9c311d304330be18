import type { Cursor } from './cursor.ts'
import type { Transaction } from './group-commit.ts'
import type { MessageLog, Topic } from './message-log.ts'
import type { MessageRow, ReadLimits } from './message-rows.ts'
import type { SubscriptionRows } from './subscription-rows.ts'

/** What a topic cursor works with. */
export interface TopicCursorOptions {
  readonly log: MessageLog
  readonly rows: SubscriptionRows
  /** Key of the subscription. */
  readonly key: number
  /** Name of the topic, which may be still to come. */
  readonly name: string
  /** The first offset to hand out. */
  readonly offset: number
}

/** Stands in one topic. Trimming never overtakes it. */
export class TopicCursor implements Cursor {
  readonly #log: MessageLog
  readonly #rows: SubscriptionRows
  readonly #key: number
  readonly #name: string
  #offset: number

  constructor({ log, rows, key, name, offset }: TopicCursorOptions) {
    this.#log = log
    this.#rows = rows
    this.#key = key
    this.#name = name
    this.#offset = offset
  }

  follows(topic: Topic): boolean {
    return topic.name === this.#name
  }

  pending(): number {
    const topic = this.#log.named(this.#name)
    return topic === undefined ? 0 : Math.max(0, topic.last - this.#start(topic) + 1)
  }

  mayFind(): boolean {
    return this.pending() > 0
  }

  take(tx: Transaction, limits: ReadLimits, wants: (row: MessageRow) => boolean): readonly MessageRow[] {
    const topic = this.#log.named(this.#name)
    if (topic === undefined) return []
    const start = this.#start(topic)
    const { rows, next } = this.#log.read(topic, start, limits, wants)
    if (next === start) return rows
    const before = this.#offset
    tx.undo(() => {
      this.#offset = before
    })
    this.#offset = next
    this.#rows.setCursor(this.#key, topic.key, next)
    return rows
  }

  next(): number {
    return this.#offset
  }

  /** Where it begins, it may stand below what is kept. */
  #start(topic: Topic): number {
    return Math.max(this.#offset, topic.first)
  }
}
