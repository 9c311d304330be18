import type { Transaction } from './group-commit.ts'
import type { MessageLog, Topic } from './message-log.ts'
import type { MessageRows } from './message-rows.ts'
import { DEDUP_WINDOW } from './recent-ids.ts'

/** Messages trimmed from a topic in one transaction: some 5 ms of work. */
const STEP = 1000
/** How long after a commit trimming begins, so that one step serves many commits. */
const PAUSE_MS = 100
/** When trimming is tried again after a failure. */
const RETRY_MS = 1000

/** What retention works on, and what it keeps. */
export interface RetentionOptions {
  readonly log: MessageLog
  readonly rows: MessageRows
  /** Messages kept per topic after everyone has acknowledged them. */
  readonly keepMessages: number
  /** The highest offset of a topic up to which every subscription is done. */
  readonly settledUpTo: (topic: Topic) => number
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

/**
 * Deletes, in small steps, what every subscription is done with beyond the newest `keepMessages` of a topic. Inside the
 * dedup window a message loses only its content: its id must still be known as a duplicate after a restart.
 */
export class Retention {
  readonly #log: MessageLog
  readonly #rows: MessageRows
  readonly #keepMessages: number
  readonly #settledUpTo: (topic: Topic) => number
  readonly #monotonic: () => number
  readonly #due = new Set<Topic>()
  #trimming = false
  #dueAt = Number.POSITIVE_INFINITY

  constructor({ log, rows, keepMessages, settledUpTo, monotonic }: RetentionOptions) {
    this.#log = log
    this.#rows = rows
    this.#keepMessages = keepMessages
    this.#settledUpTo = settledUpTo
    this.#monotonic = monotonic
  }

  /** When `trim` is wanted next, monotonic milliseconds; Infinity while it runs. */
  get dueAt(): number {
    return this.#trimming ? Number.POSITIVE_INFINITY : this.#dueAt
  }

  /** Notes that a topic may have grown too long; sets `dueAt` if so. */
  consider(topic: Topic): void {
    if (topic.last - topic.first < this.#keepMessages) return
    this.#due.add(topic)
    this.#dueAt = Math.min(this.#dueAt, this.#monotonic() + PAUSE_MS)
  }

  /** Trims what is due, a transaction a step; `run` runs a step in one. */
  async trim(run: (step: (tx: Transaction) => boolean) => Promise<boolean>): Promise<void> {
    if (this.#trimming) return
    this.#trimming = true
    this.#dueAt = Number.POSITIVE_INFINITY
    const topics = [...this.#due]
    this.#due.clear()
    try {
      for (const topic of topics) while (await run((tx) => this.#step(tx, topic)));
    } catch {
      // Whoever publishes hears of the same fault; here it only puts off the clearing up.
      for (const topic of topics) this.#due.add(topic)
      this.#dueAt = this.#monotonic() + RETRY_MS
    } finally {
      this.#trimming = false
    }
  }

  /** Trims a topic by one step. Returns whether there is more to do. */
  #step(tx: Transaction, topic: Topic): boolean {
    this.#log.writeHeld()
    const { first } = topic
    const settled = this.#settledUpTo(topic)
    const wanted = Math.max(first, Math.min(topic.last - this.#keepMessages, settled) + 1)
    const next = Math.min(wanted, first + STEP)
    if (next > first) {
      tx.undo(() => {
        topic.first = first
      })
      topic.first = next
      this.#rows.empty(topic.key, Math.max(first, topic.last - DEDUP_WINDOW + 1), next)
      this.#rows.trimmed(topic.key, next, this.#log.end)
    }
    // A redriven message may stand below `first`; it goes once it is settled.
    const deletable = Math.min(next, settled + 1, topic.last - DEDUP_WINDOW + 1)
    const lowest = this.#rows.lowest(topic.key) ?? deletable
    if (lowest < deletable) this.#rows.deleteBelow(topic.key, Math.min(deletable, lowest + STEP))
    return next < wanted || lowest + STEP < deletable
  }
}
