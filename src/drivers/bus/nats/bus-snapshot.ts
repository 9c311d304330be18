import { DriverError } from '../../driver-error.ts'
import type { BusPlace } from '../contract.ts'
import type { StoredMessage } from '../publisher.ts'
import type { BusCounts, BusSnapshot, KeptDeadLetter, KeptDelayed, KeptMessage, KeptSubscription } from '../transfer.ts'
import { hearsBroker } from './brokers.ts'
import { type Connected, connectTo, namesUntold } from './connected.ts'
import { DeadLetters, type Letter } from './dead-letters.ts'
import { isNoStream, toDriverError } from './faults.ts'
import { readJournals } from './journal.ts'
import { fromSteps, type JournalEntry, type Row } from './journal-entry.ts'
import { LeaseBook } from './lease-book.ts'
import { dueOf, storedMessage } from './message-format.ts'
import type { Names, SubscriptionName } from './names.ts'
import { type StreamMessage, StreamReader } from './stream-reader.ts'
import { StreamWriter } from './stream-writer.ts'
import { filledBy, laterSubject, messageSubject } from './streams.ts'

/** Messages of one part. */
const PART = 256
/** Dead letters of one part. */
const LETTERS = 100

/** What of a bus on NATS is read with. */
interface Source extends Connected {
  readonly clock: BusPlace['clock']
  readonly names: Names
  readonly deadLetters: DeadLetters
  readonly writer: StreamWriter
}

/** Reads what is on NATS at the URL; undefined where no bus was made. Rejects with DriverError, `unavailable` where a broker runs on it. */
export async function readNats({ url, clock }: BusPlace): Promise<BusSnapshot | undefined> {
  const connected = await connectTo(url)
  const { link } = connected
  try {
    await wantNoBrokers(connected)
    const snapshot = await snapshotOn(connected, clock)
    if (snapshot === undefined) await link.close()
    return (
      snapshot && {
        ...snapshot,
        async close() {
          await snapshot.close()
          await link.close()
        },
      }
    )
  } catch (fault) {
    await link.close()
    throw toDriverError(fault)
  }
}

/**
 * What a connection sees of a bus on which no broker runs; undefined where none was made. Whoever made the connection closes it. Rejects with DriverError.
 */
export async function snapshotOn(connected: Connected, clock: BusPlace['clock']): Promise<BusSnapshot | undefined> {
  const { link, manager, jetStream, streams } = connected
  const writer = new StreamWriter(link, () => clock.monotonic())
  try {
    const { config } = await manager.streams.info(streams.messages)
    const names = namesUntold({ jetStream, streams, writer })
    await names.refresh()
    const deadLetters = new DeadLetters({ jetStream, streams, writer })
    const source = { ...connected, clock, names, deadLetters, writer }
    return {
      filledBy: filledBy(config),
      counts: () => counts(source),
      topics: async () =>
        [...names.topics.values()].map(({ name, owner }) => ({ name, ...(owner !== undefined && { owner }) })),
      largest: () => largest(source),
      messages: (after) => messages(source, after),
      subscriptions: () => subscriptions(source),
      deadLetters: () => deadLettersOf(source),
      delayed: () => delayed(source),
      async close() {
        names.close()
        writer.close()
      },
    }
  } catch (fault) {
    writer.close()
    if (isNoStream(fault)) return undefined
    throw toDriverError(fault)
  }
}

/** Rejects with DriverError `unavailable` where a broker runs on a bus. */
export async function wantNoBrokers({ address, link, streams }: Connected): Promise<void> {
  if (!(await hearsBroker(link, streams))) return
  const where = `${address.servers.join(', ')}/${address.name}`
  throw new DriverError('unavailable', `bus: a broker runs on NATS at ${where}: stop its platform, or name another bus`)
}

async function counts({ manager, streams, names, deadLetters }: Source): Promise<BusCounts> {
  try {
    const { state } = await manager.streams.info(streams.messages, { subjects_filter: laterSubject(streams) })
    const waiting = state.subjects?.[laterSubject(streams)] ?? 0
    return {
      topics: names.topics.size,
      messages: state.messages - waiting,
      bytes: state.bytes,
      subscriptions: names.subscriptions.size,
      deadLetters: await deadLetters.count(),
      delayed: waiting,
    }
  } catch (fault) {
    throw toDriverError(fault)
  }
}

/** Of what lies in topics sizes alone are read. */
async function largest(source: Source): Promise<readonly StoredMessage[]> {
  const { jetStream, streams } = source
  let largestOne = { seq: 0, bytes: -1 }
  let largestLetter: { readonly letter?: Letter; readonly bytes: number } = { bytes: -1 }
  for await (const part of read(source, streams.messages, `${streams.prefix}.>`, 0, true)) {
    for (const { seq, headers } of part) {
      const bytes = Number(headers?.get('Nats-Msg-Size') ?? 0) + (headers?.get('Msvc-Message') ?? '').length
      if (bytes > largestOne.bytes) largestOne = { seq, bytes }
    }
  }
  for await (const letter of letters(source)) {
    const bytes = Buffer.byteLength(letter.payload) + JSON.stringify(letter.attributes).length
    if (bytes > largestLetter.bytes) largestLetter = { letter, bytes }
  }
  const { seq } = largestOne
  const found = seq === 0 ? undefined : await jetStream.message(streams.messages, { seq })
  const message = found && storedMessage(streams, found, found)
  const topic = dueOf(found?.headers)?.topic ?? message?.topic ?? ''
  return [message && { ...message, topic }, largestLetter.letter].filter((one) => one !== undefined)
}

async function* messages(source: Source, after: number): AsyncGenerator<readonly KeptMessage[]> {
  const { streams } = source
  const apart = (await leftAlone(source)).filter(({ place }) => place > after)
  for await (const part of read(source, streams.messages, messageSubject(streams, '>'), after)) {
    const found = part.map((message) => kept(storedMessage(streams, message, message), 'kept'))
    const upTo = apart.findIndex(({ place }) => place > (found.at(-1)?.place ?? 0))
    const between = apart.splice(0, upTo < 0 ? apart.length : upTo)
    yield between.length === 0 ? found : [...found, ...between].sort((a, b) => a.place - b.place)
  }
  if (apart.length > 0) yield apart
}

/** Messages that the stream hasn't any more, and of which a subscription or a dead letter has the content: in the order of their places. */
async function leftAlone(source: Source): Promise<KeptMessage[]> {
  const { jetStream, streams, deadLetters } = source
  const found = new Map<number, KeptMessage>()
  const add = async (message: StoredMessage | undefined) => {
    if (message === undefined || found.has(message.offset)) return
    if (await jetStream.message(streams.messages, { seq: message.offset })) return
    found.set(message.offset, kept(message, 'apart'))
  }
  for await (const letter of letters(source)) await add(letter)
  for await (const part of read(source, streams.leases, `${streams.prefix}.again.*.*`, 0)) {
    for (const { subject } of part) {
      const [, , subscription = '', offset] = subject.split('.')
      await add(await deadLetters.content(subscription, Number(offset)))
    }
  }
  return [...found.values()].sort((a, b) => a.place - b.place)
}

function kept(message: StoredMessage, part: KeptMessage['part']): KeptMessage {
  const { id, topic, payload, attributes, form, offset, timestamp } = message
  return { id, topic, payload, attributes, ...(form !== undefined && { form }), place: offset, timestamp, part }
}

async function subscriptions(source: Source): Promise<KeptSubscription[]> {
  const journals = await readJournals(source)
  const names = [...source.names.subscriptions.values()].sort((a, b) => a.key - b.key)
  return names.map((name) => subscription(source, name, journals.get(name.id) ?? []))
}

function subscription({ clock }: Source, name: SubscriptionName, journal: readonly JournalEntry[]): KeptSubscription {
  const { id, key: _key, topic, group, owner, pushUrl, after, madeAt, ...terms } = name
  const book = new LeaseBook(clock, { after, activeAt: madeAt })
  book.load(journal, name.ackWaitMs)
  const { cursor, rows, held, activeAt } = book.takeChanges(true)
  const waiting = Object.entries(held).flatMap(([key, steps]) =>
    fromSteps(steps).map((place) => ({ place, key, attempt: 0 })),
  )
  const back = rows.filter(([, at]) => at === 4).map((row) => ({ place: row[0], key: row[9] ?? '', attempt: row[3] }))
  const apart = new Set(back.map(({ place }) => place))
  return {
    id,
    topic,
    ...terms,
    ...(group !== undefined && { group }),
    ...(owner !== undefined && { owner }),
    ...(pushUrl !== undefined && { push: { url: pushUrl } }),
    activeAt,
    after: cursor,
    out: rows.filter(([, at]) => at !== 4).map(delivery),
    held: [...waiting.filter(({ place }) => !apart.has(place)), ...back].sort((a, b) => a.place - b.place),
  }
}

function delivery(row: Row): KeptSubscription['out'][number] {
  const [place, at, deliveries, attempt, spared = 0, waitedMs = 0, notBefore = 0, delayMs = 0, , key] = row
  return {
    place,
    ...(typeof key === 'string' && { key }),
    deliveries,
    attempt,
    spared,
    waitedMs,
    isLeased: at === 1,
    ...(at === 2 && { wait: { notBefore, delayMs } }),
  }
}

async function* deadLettersOf(source: Source): AsyncGenerator<KeptDeadLetter> {
  for await (const { offset, cursor: _cursor, seq: _seq, death, ...letter } of letters(source)) {
    yield { ...letter, place: offset, attempt: death.attempt }
  }
}

async function* letters({ deadLetters, names }: Source): AsyncGenerator<Letter> {
  for (let after = '0'; ; ) {
    const part = await deadLetters.list({ limit: LETTERS, after })
    const last = part.at(-1)
    if (last === undefined) return
    // of one that is gone they are about to be taken away
    for (const letter of part) if (names.subscriptions.has(letter.subscription)) yield letter
    after = last.cursor
  }
}

async function* delayed(source: Source): AsyncGenerator<KeptDelayed> {
  const { streams } = source
  const found: KeptDelayed[] = []
  for await (const part of read(source, streams.messages, laterSubject(streams), 0)) {
    for (const message of part) {
      const due = dueOf(message.headers)
      if (due === undefined) continue
      const { offset: _offset, timestamp: _timestamp, ...content } = storedMessage(streams, message, message)
      found.push({ ...content, topic: due.topic, dueAt: due.at, delayMs: due.delayMs })
    }
  }
  yield* found.toSorted((a, b) => a.dueAt - b.dueAt)
}

async function* read(
  { jetStream }: Source,
  stream: string,
  filter: string,
  after: number,
  headersOnly = false,
): AsyncGenerator<readonly StreamMessage[]> {
  const reader = new StreamReader({ jetStream, stream, filter, after, headersOnly })
  try {
    yield* reader.readOn(PART)
  } finally {
    reader.close()
  }
}
