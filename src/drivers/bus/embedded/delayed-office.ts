import type { DelayedMessage, DelayedQuery } from '../administration.ts'
import { type DelayedPlace, delayedCursor, placeAfter } from '../delay.ts'
import { boundedLimit } from '../page-of.ts'
import type { Publication } from '../publisher.ts'
import { readAttributes } from './attributes-text.ts'
import type { DelayedMessages } from './delayed-messages.ts'
import type { DelayedName, DelayedRows } from './delayed-rows.ts'
import type { GroupCommit } from './group-commit.ts'
import type { MessageLog } from './message-log.ts'
import { sizeOf } from './message-rows.ts'

/** Messages looked at in one turn, whether they are wanted or not: some 1 ms of work. */
const LOOK = 1_000
/** Characters after which a list takes no further message. */
const MOST_SIZE = 2 * 1024 * 1024

/** What a look finds, and where it stopped looking; undefined for the end. */
interface Found {
  readonly messages: readonly DelayedMessage[]
  readonly end: DelayedPlace | undefined
}

const NOTHING: Found = { messages: [], end: undefined }

/** What it works with. */
export interface DelayedOfficeParts {
  readonly commit: GroupCommit
  readonly log: MessageLog
  readonly rows: DelayedRows
  readonly delayed: DelayedMessages
}

/** What becomes of messages that wait besides that they take their places: they are shown, and thrown away. */
export class DelayedOffice {
  readonly #parts: DelayedOfficeParts

  constructor(parts: DelayedOfficeParts) {
    this.#parts = parts
  }

  /** Those that a query means. Rejects with DriverError. */
  async list({ topic, id, limit, after }: DelayedQuery): Promise<readonly DelayedMessage[]> {
    const { commit, log, delayed } = this.#parts
    const most = boundedLimit(limit)
    const known = topic === undefined ? undefined : log.named(topic)
    const isEmpty = topic !== undefined && (known === undefined || !delayed.areIn(known.key))
    const wants = (one: DelayedName) =>
      (known === undefined || one.topic === known.key) &&
      (id === undefined || one.id === id || one.id.startsWith(`${id} `))
    for (let place = placeAfter(after); ; ) {
      const from = place
      const { messages, end } = await commit.run(() => (isEmpty ? NOTHING : this.#look(from, wants, most)))
      if (messages.length > 0 || end === undefined) return messages
      place = end
    }
  }

  /** How many there are. Rejects with DriverError. */
  count(): Promise<number> {
    return this.#parts.commit.run(() => this.#parts.delayed.size)
  }

  /** Throws one away. False where none waits. Rejects with DriverError. */
  cancel({ topic, id }: Pick<Publication, 'topic' | 'id'>): Promise<boolean> {
    const { commit, log, delayed } = this.#parts
    return commit.run((tx) => {
      const known = log.named(topic)
      return known !== undefined && delayed.cancel(tx, known.key, id)
    })
  }

  /** Those wanted among the next ones behind a place. */
  #look(place: DelayedPlace, wants: (one: DelayedName) => boolean, most: number): Found {
    const seen = this.#parts.rows.behind(place, LOOK)
    const messages: DelayedMessage[] = []
    let left = MOST_SIZE
    for (const one of seen.filter(wants)) {
      if (messages.length >= most || left <= 0) break
      const row = this.#parts.rows.at(one.nr)
      if (row === undefined) continue
      const topic = this.#parts.log.topic(one.topic)?.name ?? ''
      const { id, payload, attributes } = row
      messages.push({
        ...{ id, topic, payload, ...readAttributes(attributes) },
        ...{ deliverAt: one.dueAt, cursor: delayedCursor(one) },
      })
      left -= sizeOf(row)
    }
    return { messages, end: seen.length < LOOK || most === 0 ? undefined : seen.at(-1) }
  }
}
