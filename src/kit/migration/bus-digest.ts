import { createHash, hash } from 'node:crypto'
import type { BusSnapshot, KeptSubscription } from '../../drivers/bus/transfer.ts'
import { letterText, messageText, PassedMessages, subscriptionText, textOf } from './bus-texts.ts'

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
  const readers = new PassedMessages(subscriptions)
  const topics = new Map((await bus.topics()).map(({ name }) => [name, { messages: 0, digest: createHash('sha256') }]))
  for await (const part of bus.messages(0)) {
    signal.throwIfAborted()
    for (const message of part) {
      if (message.part === 'known') continue
      ordinals.pass(message.place)
      readers.pass(message)
      const topic = topics.get(message.topic) ?? { messages: 0, digest: createHash('sha256') }
      topics.set(message.topic, topic)
      topic.messages++
      topic.digest.update(`${messageText(message)}\n`)
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
    deadLetters: await digestOf(bus.deadLetters(), letterText),
    delayed: await digestOf(bus.delayed(), textOf),
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

  digest(one: KeptSubscription) {
    const text = subscriptionText(one, (place) => this.#numbers.get(place) ?? 0)
    return { open: one.out.length + one.held.length, sha256: hash('sha256', text) }
  }

  /** Places before this one have no message: they count those before them. */
  #note(before: number): void {
    for (let place = this.#places[this.#at]; place !== undefined && place < before; place = this.#places[++this.#at]) {
      this.#numbers.set(place, this.#passed)
    }
  }
}

async function digestOf<T>(all: AsyncIterable<T>, said: (one: T) => string) {
  const digest = createHash('sha256')
  let count = 0
  for await (const one of all) {
    digest.update(`${said(one)}\n`)
    count++
  }
  return { count, sha256: digest.digest('hex') }
}
