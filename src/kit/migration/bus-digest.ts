import { createHash, hash } from 'node:crypto'
import { topicPattern } from '../../drivers/bus/topic-pattern.ts'
import type { BusSnapshot, KeptSubscription } from '../../drivers/bus/transfer.ts'

/** What a bus holds, in few words that two buses have in common when they hold the same. */
export interface BusDigest {
  /** Of each topic, how many messages there are and a digest of them in their order: ids, times, attributes, payloads. */
  readonly topics: Readonly<Record<string, { readonly messages: number; readonly sha256: string }>>
  /** Of each subscription, how many messages it has passed, and a digest of what it hasn't done with and of its terms. */
  readonly subscriptions: Readonly<
    Record<string, { readonly passed: number; readonly open: number; readonly sha256: string }>
  >
  readonly deadLetters: { readonly count: number; readonly sha256: string }
  readonly delayed: { readonly count: number; readonly sha256: string }
}

/** Digests what a bus holds. Rejects with DriverError, and the signal's reason. @param onRead told how many more messages were read */
export async function busDigest(
  bus: BusSnapshot,
  { signal, onRead }: { readonly signal: AbortSignal; readonly onRead?: (messages: number) => void },
): Promise<BusDigest> {
  const subscriptions = await bus.subscriptions()
  const ordinals = new Ordinals(subscriptions)
  const readers = new Readers(subscriptions)
  const topics = new Map((await bus.topics()).map(({ name }) => [name, { messages: 0, digest: createHash('sha256') }]))
  for await (const part of bus.messages(0)) {
    signal.throwIfAborted()
    for (const { place, part: kind, offset: _offset, ...message } of part) {
      if (kind === 'known') continue
      ordinals.pass(place)
      readers.pass(message.topic, place)
      const topic = topics.get(message.topic) ?? { messages: 0, digest: createHash('sha256') }
      topics.set(message.topic, topic)
      topic.messages++
      topic.digest.update(lineOf(message))
    }
    onRead?.(part.length)
  }
  ordinals.end()
  return {
    topics: Object.fromEntries(
      [...topics].map(([name, { messages, digest }]) => [name, { messages, sha256: digest.digest('hex') }]),
    ),
    subscriptions: Object.fromEntries(
      subscriptions.map((one) => [one.id, { passed: readers.passed(one), ...ordinals.digest(one) }]),
    ),
    deadLetters: await digestOf(
      bus.deadLetters(),
      ({ place: _place, offset: _offset, attempt: _attempt, ...letter }) => letter,
    ),
    delayed: await digestOf(bus.delayed(), (message) => message),
  }
}

/** How many messages of its own each subscription has passed. */
class Readers {
  readonly #subscriptions: readonly KeptSubscription[]
  readonly #passed = new Map<string, number>()
  readonly #ofTopic = new Map<string, readonly KeptSubscription[]>()

  constructor(subscriptions: readonly KeptSubscription[]) {
    this.#subscriptions = subscriptions
  }

  pass(topic: string, place: number): void {
    const known = this.#ofTopic.get(topic)
    const readers = known ?? this.#subscriptions.filter((one) => topicPattern(one.topic).matches(topic))
    if (known === undefined) this.#ofTopic.set(topic, readers)
    for (const { id, after } of readers) if (place <= after) this.#passed.set(id, (this.#passed.get(id) ?? 0) + 1)
  }

  passed({ id }: KeptSubscription): number {
    return this.#passed.get(id) ?? 0
  }
}

/** The places that subscriptions speak of, as numbers of messages: places differ from bus to bus. */
class Ordinals {
  /** In ascending order, until each is passed. */
  readonly #places: number[]
  readonly #numbers = new Map<number, number>()
  #at = 0
  #passed = 0

  constructor(subscriptions: readonly KeptSubscription[]) {
    const places = subscriptions.flatMap(({ out, held }) => [...out, ...held].map(({ place }) => place))
    this.#places = [...new Set(places)].sort((a, b) => a - b)
  }

  /** A message is at this place, the next one. */
  pass(place: number): void {
    this.#note(place)
    this.#passed++
    if (this.#places[this.#at] === place) this.#note(place + 1)
  }

  /** There are no more. */
  end(): void {
    this.#note(Number.POSITIVE_INFINITY)
  }

  digest({ out, held, after: _after, id: _id, activeAt: _activeAt, ...terms }: KeptSubscription) {
    const number = (place: number) => this.#numbers.get(place) ?? 0
    // a lease that ended is not the same on every bus: it is one that may be had again
    const lines = out.map(({ place, deliveries, spared, waitedMs, key }) => [
      number(place),
      deliveries,
      spared,
      waitedMs,
      key,
    ])
    const waiting = held.map(({ place, key }) => [number(place), key])
    const text = JSON.stringify([sortedEntries(terms), sortedLines(lines), sortedLines(waiting)])
    return { open: out.length + held.length, sha256: hash('sha256', text) }
  }

  /** Places before this one have no message: they count those before them. */
  #note(before: number): void {
    for (let place = this.#places[this.#at]; place !== undefined && place < before; place = this.#places[++this.#at]) {
      this.#numbers.set(place, this.#passed)
    }
  }
}

function sortedLines(lines: readonly (readonly unknown[])[]): readonly string[] {
  return lines.map((line) => JSON.stringify(line)).sort()
}

function sortedEntries(value: object): readonly (readonly [string, unknown])[] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
}

function lineOf(value: object): string {
  return `${JSON.stringify(sortedEntries(value).map(([name, one]) => [name, typeof one === 'object' ? sortedEntries(one ?? {}) : one]))}\n`
}

async function digestOf<T extends object>(all: AsyncIterable<T>, said: (one: T) => object) {
  const digest = createHash('sha256')
  let count = 0
  for await (const one of all) {
    digest.update(lineOf(said(one)))
    count++
  }
  return { count, sha256: digest.digest('hex') }
}
