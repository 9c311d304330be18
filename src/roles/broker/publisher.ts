import type { BusPublisher, Publication, Receipt } from '../../drivers/bus/publisher.ts'
import { Slice } from '../../drivers/slice.ts'
import { messageOf } from '../../kit/errors.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { currentScope, runInScope } from '../../kit/telemetry/scope.ts'
import { readTraceContext, writeTraceContext } from '../../kit/telemetry/trace-context.ts'
import type { ActiveSpan, SpanContext, Tracing } from '../../kit/telemetry/tracing.ts'
import type { BrokerMetrics } from './broker-metrics.ts'
import { eventId } from './event-identity.ts'

/** Puts messages on disk, as part of their publishers' traces. */
export interface Publisher {
  /** Resolves once all are on disk, receipts in the order given; topics that it makes are `owner`'s. Rejects with DriverError, see Bus. */
  publish(
    messages: readonly Publication[],
    owner?: string,
    options?: { readonly atomic?: boolean },
  ): Promise<readonly Receipt[]>
  /** Throws DriverError `too-large` for a message that can't be published, as it would be: with a trace. */
  checkSize(message: Publication): void
}

/** What a publisher works with. */
export interface PublisherOptions {
  readonly bus: BusPublisher
  readonly tracing: Tracing
  readonly log: Pick<Log, 'info' | 'warning'>
  readonly metrics: Pick<BrokerMetrics, 'published'>
  /** Told of each message on disk. Default: nobody. */
  readonly onPublished?: (message: Publication) => void
}

/** A span that is kept, and the messages that were published under it: of one topic. */
interface Kept {
  readonly span: ActiveSpan
  readonly first: Publication
  count: number
}

/** Makes the one way into the bus: what is published any other way is in no trace and in no metric. */
export function createPublisher({ bus, tracing, log, metrics, onPublished }: PublisherOptions): Publisher {
  /**
   * Gives messages the traces they belong to: their own, which stay as they are, else the request's. Where a trace is kept, its messages to one topic get a
   * span: one for all of them that the request brought into its own trace, which their consumers' spans hang under, so that a batch of thousands
   * is not told as often.
   */
  function createTraces(request: SpanContext | undefined) {
    const kept: Kept[] = []
    const ofRequest = new Map<string, Kept>()

    function start(message: Publication, parent: SpanContext): Kept {
      const span = tracing.start(`publish ${message.topic}`, {
        kind: 'producer',
        parent,
        attributes: {
          'messaging.system': 'msvc',
          'messaging.operation.type': 'send',
          'messaging.destination.name': message.topic,
          'messaging.message.id': eventId(message),
        },
      })
      const one = { span, first: message, count: 0 }
      kept.push(one)
      return one
    }

    function traced(message: Publication): Publication {
      const own = readTraceContext(message.attributes)
      const parent = own ?? request
      if (!parent?.sampled) {
        if (!parent || own) return message
        return inTrace(message, parent)
      }
      const known = own ? undefined : ofRequest.get(message.topic)
      const one = known ?? start(message, parent)
      one.count++
      // an event's own trace stays as its producer wrote it (CloudEvents, Distributed Tracing extension)
      if (own) return message
      ofRequest.set(message.topic, one)
      return inTrace(message, one.span)
    }

    return { kept, traced }
  }

  /** Ends the span of messages on disk, and leaves an entry in their trace. */
  function tell({ span, first, count }: Kept): void {
    const id = eventId(first)
    const what = count === 1 ? first.topic : `${count} messages to ${first.topic}`
    if (count > 1) span.setAttribute('messaging.batch.message_count', count)
    span.end()
    runInScope({ span, requestId: id }, () => log.info(`published ${what}`, { message_id: id }))
  }

  /** Somebody takes these for copies, and they aren't: they would be lost without a word. */
  function warn(refused: readonly Receipt[]): void {
    const [first] = refused
    if (!first) return
    const { id, topic, offset = null } = first
    const fields = { message_id: id, topic, offset, messages: refused.length }
    log.warning('A message has the id of an earlier one and says something else: it is not kept', fields)
  }

  return {
    checkSize(message) {
      const widest = { ...WIDEST, state: currentScope()?.span.state }
      bus.checkSize(readTraceContext(message.attributes) === undefined ? inTrace(message, widest) : message)
    },
    async publish(messages, owner, options) {
      const request = currentScope()?.span
      const slice = new Slice()
      const { kept, traced } = createTraces(request)
      const prepared: Publication[] = []
      for (const message of messages) {
        if (slice.isOver) await slice.next()
        prepared.push(traced(message))
      }
      try {
        const receipts = await bus.publish(prepared, owner, options)
        const afterwards = new Slice()
        for (const each of kept) {
          if (afterwards.isOver) await afterwards.next()
          tell(each)
        }
        count(receipts, metrics)
        warn(receipts.filter(({ differs }) => differs))
        if (onPublished) for (const message of messages) onPublished(message)
        return receipts
      } catch (fault) {
        // one tells it for all of them
        kept[0]?.span.end({ failed: true, message: messageOf(fault) })
        throw fault
      }
    },
  }
}

/** What says where a message belongs is of one length, whichever trace it is. */
const WIDEST: SpanContext = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), sampled: true }

/** The message in this trace, and in no other. */
function inTrace(message: Publication, span: SpanContext): Publication {
  const { traceparent: _parent, tracestate: _state, ...attributes } = message.attributes
  return { ...message, attributes: { ...attributes, ...writeTraceContext(span) } }
}

/** Counts neighbours of one topic together: a batch mostly has one. */
function count(receipts: readonly Receipt[], metrics: Pick<BrokerMetrics, 'published'>): void {
  let topic: string | undefined
  let same = 0
  for (const receipt of receipts) {
    if (receipt.topic !== topic && topic !== undefined) {
      metrics.published(topic, same)
      same = 0
    }
    topic = receipt.topic
    if (!receipt.duplicate) same++
  }
  if (topic !== undefined) metrics.published(topic, same)
}
