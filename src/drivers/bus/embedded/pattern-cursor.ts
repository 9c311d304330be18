import type { TopicPattern } from '../topic-pattern.ts'
import type { Cursor } from './cursor.ts'
import type { Transaction } from './group-commit.ts'
import type { MessageLog, Topic } from './message-log.ts'
import type { MessageRow, ReadLimits } from './message-rows.ts'
import { PatternReader } from './pattern-reader.ts'
import type { SubscriptionRows } from './subscription-rows.ts'

/** What a pattern cursor works with. */
export interface PatternCursorOptions {
  readonly log: MessageLog
  readonly rows: SubscriptionRows
  /** Key of the subscription. */
  readonly key: number
  readonly pattern: TopicPattern
  /** What is stored up to there is handed out, or none of its own. */
  readonly position: number
  /** The first offset wanted of a topic. */
  readonly from: (topic: Topic) => number
}

/** Stands in all topics that fit a pattern, those still to come included, at one position among them. */
export class PatternCursor implements Cursor {
  readonly #log: MessageLog
  readonly #rows: SubscriptionRows
  readonly #key: number
  readonly #pattern: TopicPattern
  readonly #reader: PatternReader
  #position: number

  constructor({ log, rows, key, pattern, position, from }: PatternCursorOptions) {
    this.#log = log
    this.#rows = rows
    this.#key = key
    this.#pattern = pattern
    this.#reader = new PatternReader(log, pattern, from)
    this.#position = position
  }

  follows(topic: Topic): boolean {
    return this.#pattern.matches(topic.name)
  }

  pending(): number {
    return this.#reader.count(this.#position)
  }

  mayFind(): boolean {
    return this.#position < this.#log.end
  }

  take(tx: Transaction, limits: ReadLimits, wants: (row: MessageRow) => boolean): readonly MessageRow[] {
    const before = this.#position
    let met = false
    const { rows, position } = this.#reader.take(before, limits, (row) => {
      met = true
      return wants(row)
    })
    if (position === before) return rows
    tx.undo(() => {
      this.#position = before
    })
    this.#position = position
    // what it only passed over it may pass over again after a restart: that is not worth an fsync
    if (met) this.#rows.setPosition(this.#key, position)
    return rows
  }

  next(topic: Topic, below: number): number {
    const position = below <= topic.last ? this.#log.positionOf(topic, below - 1) : undefined
    return position !== undefined && position <= this.#position ? below : this.#reader.next(topic, this.#position)
  }
}
