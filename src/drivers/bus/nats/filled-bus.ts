import { DriverError } from '../../driver-error.ts'
import type { BusPlace } from '../contract.ts'
import { wantFillable } from '../fillable.ts'
import { keyIn } from '../message-key.ts'
import type { BusFilling, BusRest, BusSnapshot, KeptDelivery, KeptMessage, KeptSubscription } from '../transfer.ts'
import { snapshotOn, wantNoBrokers } from './bus-snapshot.ts'
import { type Connected, connectTo, namesUntold } from './connected.ts'
import { DeadLetters } from './dead-letters.ts'
import { isOvertaken, toDriverError } from './faults.ts'
import { wantFit } from './filled-size.ts'
import { Journal } from './journal.ts'
import { asSteps, type Row } from './journal-entry.ts'
import { dedupId, laterWrite, messageWrite, storedMessage } from './message-format.ts'
import { type NameChange, type Names, type SubscriptionName, subscriptionSubject, topicSubject } from './names.ts'
import { PlaceMap } from './place-map.ts'
import { StreamReader } from './stream-reader.ts'
import { type Stored, StreamWriter } from './stream-writer.ts'
import { filledBy, fillingMark, laterSubject, makeStreams, messageSubject } from './streams.ts'

/** Where a message stood on the bus that it came from. */
const PLACE = 'Msvc-Place'
/** Messages read, or names changed, at a time. */
const PART = 500
/** Times that messages are sent again without one of them getting through. */
const MOST_ATTEMPTS = 5

/** Makes a bus on NATS, or goes on with one that the same run began; see `BusDriver.fill`. Rejects with DriverError. */
export async function fillNats({ url, clock }: BusPlace, run: string): Promise<BusFilling> {
  const connected = await connectTo(url)
  const { link, manager, jetStream, streams, address } = connected
  const writer = new StreamWriter(link, () => clock.monotonic())
  try {
    await wantNoBrokers(connected)
    const there = await snapshotOn(connected, clock)
    if (there) await wantFillable(there, run).finally(() => there.close())
    await makeStreams(manager, streams, address, fillingMark(run))
    const names = namesUntold({ jetStream, streams, writer })
    await names.refresh()
    const filled = new FilledBus({ ...connected, writer, names, run, clock })
    await filled.catchUp()
    return filled
  } catch (fault) {
    writer.close()
    await link.close()
    throw toDriverError(fault)
  }
}

interface Parts extends Connected {
  readonly writer: StreamWriter
  readonly names: Names
  readonly run: string
  readonly clock: BusPlace['clock']
}

/**
 * Messages are stored in their order whatever happens, since each expects the one before it as the last of the stream, by its place and its id; subscriptions
 * get a journal that says what they haven't done with.
 */
class FilledBus implements BusFilling {
  readonly #parts: Parts
  readonly #places = new PlaceMap()
  /** The last sequence of the stream of messages. */
  #last = 0

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get place(): number {
    return this.#places.last
  }

  /** Learns what is there already. */
  async catchUp(): Promise<void> {
    const { jetStream, streams } = this.#parts
    // before what is read: a message that comes in between is not taken for one that was
    const { last } = await jetStream.state(streams.messages)
    const after = this.#places.lastSeq
    const filter = messageSubject(streams, '>')
    const reader = new StreamReader({ jetStream, stream: streams.messages, filter, after, headersOnly: true })
    try {
      for await (const part of reader.readOn(PART)) {
        for (const { seq, headers } of part) {
          const place = Number(headers?.get(PLACE))
          if (!(place > 0)) throw usedByOthers()
          this.#places.add(place, seq)
        }
      }
    } finally {
      reader.close()
    }
    this.#last = last
  }

  async add(messages: readonly KeptMessage[]): Promise<void> {
    // what has no content JetStream could not keep apart from what has
    let left = messages.filter(({ part, place }) => part !== 'known' && place > this.place)
    for (const message of left) wantFit(this.#parts.streams, message, this.#parts.writer.mostBytes)
    /** Those whose id the server knows from another message: it may be given again after a while. */
    const again = new Set<number>()
    for (let attempt = 1; left.length > 0; attempt++) {
      const [next] = left
      const refused = await this.#store(left, again)
      if (refused === undefined) return
      await this.catchUp()
      left = left.filter(({ place }) => place > this.place)
      if (left[0] !== next) attempt = 0
      if (attempt >= MOST_ATTEMPTS) throw toDriverError(refused)
    }
  }

  /** Sends messages, on the way together. Gives what refused the first that is not stored. */
  async #store(messages: readonly KeptMessage[], again: Set<number>): Promise<unknown> {
    const { streams, writer } = this.#parts
    const first = this.#last
    const writes = messages.map((message) => {
      const write = messageWrite(streams, { ...message, tookPlaceAt: message.timestamp })
      const id = again.has(message.place) ? `${write.id} ${message.place}` : write.id
      return { ...write, id, headers: { ...write.headers, [PLACE]: String(message.place) } }
    })
    const stored = await Promise.allSettled(
      writes.map((write, at) =>
        writer.write({ ...write, expectOfStream: first + at, expectBehind: writes[at - 1]?.id }),
      ),
    )
    for (const [at, one] of stored.entries()) {
      const { place = 0 } = messages[at] ?? {}
      if (one.status === 'rejected') {
        if (isOvertaken(one.reason) || one.reason instanceof DriverError) return one.reason
        throw toDriverError(one.reason)
      }
      if (isAnother(one.value, first + at + 1)) {
        again.add(place)
        return new DriverError('conflict', `NATS knows the id of the message at ${place} from another`)
      }
      this.#last = one.value.seq
      this.#places.add(place, one.value.seq)
    }
    return undefined
  }

  async complete(source: BusSnapshot): Promise<void> {
    const subscriptions = await source.subscriptions()
    try {
      await this.#wantMark()
      await this.#nameAll(source, subscriptions)
      await this.#writeJournals(subscriptions)
      await this.#addLetters(source)
      await this.#addDelayed(source)
    } catch (fault) {
      throw toDriverError(fault)
    }
  }

  async *messages(after: number): AsyncGenerator<readonly KeptMessage[]> {
    const { jetStream, streams } = this.#parts
    const [begin, end] = [this.#places.seqUpTo(after), this.#places.lastSeq]
    const filter = messageSubject(streams, '>')
    const reader = new StreamReader({ jetStream, stream: streams.messages, filter, after: begin })
    try {
      for (;;) {
        const part = (await reader.read(PART)).filter(({ seq }) => seq <= end)
        if (part.length === 0) return
        yield part.map((message) => {
          const { offset: _offset, ...content } = storedMessage(streams, message, message)
          return { ...content, place: this.#places.placeOf(message.seq), part: 'kept' as const }
        })
      }
    } finally {
      reader.close()
    }
  }

  async rest(): Promise<BusRest> {
    const there = await snapshotOn(this.#parts, this.#parts.clock)
    if (there === undefined) throw new DriverError('unavailable', 'the target bus is gone')
    try {
      const [topics, subscriptions, deadLetters, delayed] = await Promise.all([
        there.topics(),
        there.subscriptions(),
        Array.fromAsync(there.deadLetters()),
        Array.fromAsync(there.delayed()),
      ])
      return { topics, subscriptions: subscriptions.map((one) => this.#inPlaces(one)), deadLetters, delayed }
    } finally {
      await there.close()
    }
  }

  #inPlaces({ after, out, held, ...terms }: KeptSubscription): KeptSubscription {
    const inPlace = <T extends { readonly place: number }>(one: T) => ({
      ...one,
      place: this.#places.placeOf(one.place),
    })
    return { ...terms, after: this.#places.placeOf(after), out: out.map(inPlace), held: held.map(inPlace) }
  }

  async end(): Promise<void> {
    const { manager, streams } = this.#parts
    await manager.streams.update(streams.messages, { description: '' }).catch((fault: unknown) => {
      throw toDriverError(fault)
    })
  }

  async close(): Promise<void> {
    const { names, writer, link } = this.#parts
    names.close()
    writer.close()
    await link.close()
  }

  /** A broker takes the mark away when it opens the bus, and another run puts its own in its place. */
  async #wantMark(): Promise<void> {
    const { manager, streams, run } = this.#parts
    const { config } = await manager.streams.info(streams.messages)
    if (filledBy(config) !== run) throw usedByOthers()
  }

  async #nameAll(source: BusSnapshot, subscriptions: readonly KeptSubscription[]): Promise<void> {
    const { names, streams } = this.#parts
    const topics = (await source.topics()).filter(({ name }) => !names.topics.has(name))
    const wanted = new Set(subscriptions.map(({ id }) => id))
    const changes: ((key: number) => NameChange)[] = [
      ...topics.map(({ name, owner }) => () => {
        return { subject: topicSubject(streams, name), record: owner === undefined ? {} : { owner } }
      }),
      ...[...names.subscriptions.keys()]
        .filter((id) => !wanted.has(id))
        .map((id) => () => ({ subject: subscriptionSubject(streams, id), record: null })),
      ...subscriptions.map((one) => (key: number) => {
        return { subject: subscriptionSubject(streams, one.id), record: this.#nameOf(one, key) }
      }),
    ]
    for (let at = 0; at < changes.length; at += PART) {
      const part = changes.slice(at, at + PART)
      await names.change((last) => ({ changes: part.map((change, further) => change(last + further + 1)) }))
    }
  }

  #nameOf(subscription: KeptSubscription, key: number): SubscriptionName {
    const { out: _out, held: _held, push, after, activeAt, ...name } = subscription
    return {
      ...name,
      key,
      after: this.#places.seqUpTo(after),
      madeAt: activeAt,
      ...(push !== undefined && { pushUrl: push.url }),
    }
  }

  async #writeJournals(subscriptions: readonly KeptSubscription[]): Promise<void> {
    const { jetStream, streams } = this.#parts
    for (const subject of ['lease.*', 'again.*.*']) {
      await jetStream.purge(streams.leases, `${streams.prefix}.${subject}`)
    }
    for (const { id, after, out, held, activeAt } of subscriptions) {
      const waiting = Map.groupBy(held, ({ key }) => key)
      const seqs = (places: typeof held) => asSteps(places.map(({ place }) => this.#seqOf(place)))
      const changes = {
        cursor: this.#places.seqUpTo(after),
        rows: out.map((message) => this.#row(message)),
        holders: [''],
        done: [],
        held: Object.fromEntries([...waiting].map(([key, places]) => [key, seqs(places)])),
        activeAt,
      }
      await new Journal(id, this.#parts).add('', changes, true)
    }
  }

  #row({ place, key, deliveries, attempt, spared, waitedMs, isLeased, wait }: KeptDelivery): Row {
    // on lease to nobody: whoever leads it spares it the delivery that came to nothing
    const at = isLeased ? 1 : wait === undefined ? 0 : 2
    const { notBefore = 0, delayMs = 0 } = wait ?? {}
    return [
      this.#seqOf(place),
      at,
      deliveries,
      attempt,
      spared,
      waitedMs,
      notBefore,
      Math.ceil(delayMs),
      0,
      key ?? null,
      0,
    ]
  }

  #seqOf(place: number): number {
    const seq = this.#places.seqOf(place)
    if (seq !== undefined) return seq
    throw new DriverError('damaged', `a subscription wants a message at ${place} that is not there`)
  }

  async #addLetters(source: BusSnapshot): Promise<void> {
    const { jetStream, streams } = this.#parts
    const letters = new DeadLetters(this.#parts)
    await jetStream.purge(streams.dead, `${streams.prefix}.dead.*.*`)
    for await (const { place, attempt, subscription, deliveries, reason, ...message } of source.deadLetters()) {
      const key = keyIn(JSON.stringify(message.attributes))
      const death = { deliveries, attempt, reason, ...(key !== undefined && { key }) }
      await letters.add(subscription, { ...message, offset: this.#seqOf(place) }, death)
    }
  }

  /** What is there already stays: the server would take it for a copy, and drop it. */
  async #addDelayed(source: BusSnapshot): Promise<void> {
    const { jetStream, streams, writer } = this.#parts
    const there = new Map<string, number>()
    const filter = laterSubject(streams)
    const reader = new StreamReader({ jetStream, stream: streams.messages, filter, after: 0, headersOnly: true })
    for (let part = await reader.read(PART); part.length > 0; part = await reader.read(PART)) {
      for (const { seq, headers } of part) there.set(headers?.get('Nats-Msg-Id') ?? '', seq)
    }
    reader.close()
    for await (const { dueAt, delayMs, ...message } of source.delayed()) {
      const id = dedupId(message)
      if (there.delete(id)) continue
      wantFit(streams, message, writer.mostBytes)
      await writer.write(laterWrite(streams, message, { topic: message.topic, at: dueAt, delayMs }))
    }
    for (const seq of there.values()) await jetStream.remove(streams.messages, seq)
    await this.catchUp()
  }
}

function usedByOthers(): DriverError {
  return new DriverError('conflict', 'the target bus has been used by others since this migration began: name another')
}

/** Whether the server has told of another message that it has with the same id, and has not stored this one. */
function isAnother({ duplicate, seq }: Stored, expected: number): boolean {
  return duplicate && seq !== expected
}
