import type { Watchers } from '../watchers.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Transaction } from './group-commit.ts'
import type { Topic } from './message-log.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Topics with news in one commit beyond which each reader looks for himself. */
const MOST_NAMED = 64

/** Who is told. */
export interface AnnouncementsParts {
  readonly watchers: Watchers
  readonly subscriptions: Subscriptions
  readonly dispatcher: Dispatcher
}

/** Tells readers and waiting pulls of the messages that a commit stored, once for all who published in it. */
export class Announcements {
  readonly #parts: AnnouncementsParts
  /** Topics with messages of this transaction. */
  readonly #news = new Set<Topic>()

  constructor(parts: AnnouncementsParts) {
    this.#parts = parts
  }

  /** Has it told of messages of these topics when they are on disk. */
  onCommit(tx: Transaction, topics: Iterable<Topic>): void {
    for (const topic of topics) this.#news.add(topic)
    tx.undo(() => this.#news.clear())
    tx.after(() => this.#announce())
  }

  #announce(): void {
    if (this.#news.size === 0) return
    const { watchers, subscriptions, dispatcher } = this.#parts
    const topics = [...this.#news]
    this.#news.clear()
    const isMany = topics.length > MOST_NAMED
    watchers.published(isMany ? undefined : topics.map((topic) => topic.name))
    for (const subscription of subscriptions.all()) {
      if (subscription.waiters.size > 0 && (isMany || topics.some((topic) => subscription.follows(topic)))) {
        dispatcher.wake(subscription)
      }
    }
    for (const topic of topics) dispatcher.considerTrimming(topic)
  }
}
