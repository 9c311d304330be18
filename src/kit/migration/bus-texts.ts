import { topicPattern } from '../../drivers/bus/topic-pattern.ts'
import type { KeptDeadLetter, KeptMessage, KeptSubscription } from '../../drivers/bus/transfer.ts'

/** What an object says, as a text that is the same whatever the order of its properties. */
export function textOf(value: object): string {
  return JSON.stringify(
    sortedEntries(value).map(([name, one]) => [name, typeof one === 'object' ? sortedEntries(one ?? {}) : one]),
  )
}

/** What a message says on every bus that has it: all but where it stands there. */
export function messageText({ place: _place, part: _part, offset: _offset, ...message }: KeptMessage): string {
  return textOf(message)
}

/** What a dead letter says on every bus that has it. */
export function letterText({ place: _place, offset: _offset, attempt: _attempt, ...letter }: KeptDeadLetter): string {
  return textOf(letter)
}

/** A subscription's terms and what it hasn't done with. @param number names the message at a place */
export function subscriptionText(
  { out, held, after: _after, id: _id, activeAt: _activeAt, ...terms }: KeptSubscription,
  number: (place: number) => number,
): string {
  // a lease that ended is not the same on every bus: it is one that may be had again
  const lines = out.map(({ place, deliveries, spared, waitedMs, key }) => [
    number(place),
    deliveries,
    spared,
    waitedMs,
    key,
  ])
  const waiting = held.map(({ place, key }) => [number(place), key])
  return JSON.stringify([sortedEntries(terms), sortedLines(lines), sortedLines(waiting)])
}

/** How many messages of its own each subscription has passed. */
export class PassedMessages {
  readonly #subscriptions: readonly KeptSubscription[]
  readonly #passed = new Map<string, number>()
  readonly #ofTopic = new Map<string, readonly KeptSubscription[]>()

  constructor(subscriptions: readonly KeptSubscription[]) {
    this.#subscriptions = subscriptions
  }

  /** There is a message. */
  pass({ topic, place }: Pick<KeptMessage, 'topic' | 'place'>): void {
    const known = this.#ofTopic.get(topic)
    const readers = known ?? this.#subscriptions.filter((one) => topicPattern(one.topic).matches(topic))
    if (known === undefined) this.#ofTopic.set(topic, readers)
    for (const { id, after } of readers) if (place <= after) this.#passed.set(id, (this.#passed.get(id) ?? 0) + 1)
  }

  passed({ id }: KeptSubscription): number {
    return this.#passed.get(id) ?? 0
  }
}

function sortedLines(lines: readonly (readonly unknown[])[]): readonly string[] {
  return lines.map((line) => JSON.stringify(line)).sort()
}

function sortedEntries(value: object): readonly (readonly [string, unknown])[] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
}
