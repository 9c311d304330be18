import type { BusFilling, BusRest, BusSnapshot, KeptMessage, KeptSubscription } from '../../drivers/bus/transfer.ts'
import { letterText, messageText, PassedMessages, subscriptionText, textOf } from './bus-texts.ts'

/** Which messages are compared, by their places in the source. */
export interface ComparedMessages {
  readonly after: number
  readonly upTo?: number
  readonly signal: AbortSignal
}

/**
 * Compares the messages that a bus was filled with, behind a place, with those of the bus that it was filled from. What the source has forgotten since may be there
 * still. Rejects with DriverError, and the signal's reason.
 * @param upTo the place in the source up to which they are compared. Default: all that it has
 * @returns the topics that differ
 */
export async function differingTopics(
  source: BusSnapshot,
  target: Pick<BusFilling, 'messages'>,
  { after, upTo = Number.POSITIVE_INFINITY, signal }: ComparedMessages,
): Promise<readonly string[]> {
  const differing = new Set<string>()
  const copies = oneByOne(target.messages(after))
  let copy = await copies.next()
  try {
    for await (const original of oneByOne(source.messages(after))) {
      signal.throwIfAborted()
      if (original.place > upTo) break
      while (!copy.done && copy.value.place < original.place) copy = await copies.next()
      if (original.part === 'known') continue
      if (copy.done || copy.value.place !== original.place || messageText(copy.value) !== messageText(original))
        differing.add(original.topic)
    }
  } finally {
    await copies.return()
  }
  return [...differing]
}

async function* oneByOne(parts: AsyncIterable<readonly KeptMessage[]>): AsyncGenerator<KeptMessage, void> {
  for await (const part of parts) yield* part
}

/**
 * Compares what else a bus was filled with: topics and their owners, subscriptions with their places and what they haven't done with, dead letters, and what waits
 * for its time. Rejects with DriverError, and the signal's reason.
 * @returns what differs, by names that people know
 */
export async function differingRest(
  source: BusSnapshot,
  copy: BusRest,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const differing: string[] = []
  const owners = new Map(copy.topics.map(({ name, owner }) => [name, { owner }]))
  for (const { name, owner } of await source.topics()) {
    const found = owners.get(name)
    if (found === undefined || found.owner !== owner) differing.push(`topic ${name}`)
  }
  differing.push(...(await differingSubscriptions(source, copy.subscriptions, signal)))
  const letters = await Array.fromAsync(source.deadLetters(), letterText)
  if (!isSame(letters, copy.deadLetters.map(letterText))) differing.push('dead letters')
  const delayed = await Array.fromAsync(source.delayed(), textOf)
  // those of one time have no order
  if (!isSame(delayed.sort(), copy.delayed.map(textOf).sort())) differing.push('delayed messages')
  return differing
}

async function differingSubscriptions(
  source: BusSnapshot,
  copies: readonly KeptSubscription[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const originals = await source.subscriptions()
  const passed = { wanted: new PassedMessages(originals), found: new PassedMessages(copies) }
  for await (const message of oneByOne(source.messages(0))) {
    signal.throwIfAborted()
    if (message.part === 'known') continue
    passed.wanted.pass(message)
    passed.found.pass(message)
  }
  const known = new Map(copies.map((one) => [one.id, one]))
  const ids = new Set(originals.map(({ id }) => id))
  const isDifferent = (one: KeptSubscription) => {
    const copy = known.get(one.id)
    const text = (of: KeptSubscription) => subscriptionText(of, (place) => place)
    return copy === undefined || text(copy) !== text(one) || passed.found.passed(copy) !== passed.wanted.passed(one)
  }
  return [...originals.filter(isDifferent), ...copies.filter(({ id }) => !ids.has(id))].map(
    ({ id, topic, group }) => `subscription ${group ?? id} to ${topic}`,
  )
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, at) => text === other[at])
}
