import type { Transaction } from './group-commit.ts'
import type { Topic } from './message-log.ts'
import type { MessageRow, ReadLimits } from './message-rows.ts'

/** Where a subscription stands in the log: what it has yet to hand out for the first time. */
export interface Cursor {
  /** Whether it reads a topic. */
  follows(topic: Topic): boolean
  /** How many messages are before it. */
  pending(): number
  /** Whether `take` may find something; it may look in vain, but not for ever. */
  mayFind(): boolean
  /**
   * Moves over the next messages, and gives those that are its own, in the order they were stored.
   * @param wants asked once for each of them; what it doesn't want is passed over, and is the caller's to write down
   */
  take(tx: Transaction, limits: ReadLimits, wants: (row: MessageRow) => boolean): readonly MessageRow[]
  /**
   * The lowest offset of a topic that it has yet to hand out.
   * @param below what is at this offset or above need not be told exactly
   */
  next(topic: Topic, below: number): number
}
