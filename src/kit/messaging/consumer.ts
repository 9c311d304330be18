import { messageOf, toAppError } from '../errors.ts'
import { saysLater } from '../passing-faults.ts'
import { pause } from '../pause.ts'
import type { Log } from '../telemetry/log.ts'
import { runInScope } from '../telemetry/scope.ts'
import { readTraceContext } from '../telemetry/trace-context.ts'
import type { Tracing } from '../telemetry/tracing.ts'
import { createWakeUp } from '../wake-up.ts'
import type { BrokerClient, PulledMessage } from './broker-client.ts'
import { linger } from './linger.ts'
import type { ConsumeOptions } from './messaging.ts'
import { BROKER_BACK_OFF, createPatience } from './patience.ts'
import { createRetries, type Retries } from './retries.ts'
import { type Settlement, startSettlement } from './settlement.ts'

/** Length of one long poll, in seconds: a connection that died without a word is noticed so soon. */
const WAIT_SECONDS = 5
/** Pause before subscribing again, in milliseconds. */
const RESUBSCRIBE_MS = 100
/** The lease: short, for what a consumer had whose machine is gone without a word comes again when it ends. In milliseconds. */
const ACK_WAIT_MS = 5_000
/** How many times a lease is begun anew while it lasts. */
const RENEWALS = 4
/** Longest wait for a store that refuses, in milliseconds: with the time that the message itself is put off for, the first success comes within 2 s. */
const MOST_PATIENCE_MS = 500
/** How long a stop waits for handlers under way, in milliseconds; what they didn't finish comes again. */
const DRAIN_MS = 5_000

/** What to consume, and with what. */
export interface ConsumerOptions extends ConsumeOptions {
  readonly group: string
  readonly broker: Pick<BrokerClient, 'subscribe' | 'pull' | 'ack' | 'nack' | 'renew'>
  /** A name that no other living process has, and that the next one in its place has too. */
  readonly consumer: string
  readonly tracing: Tracing
  readonly log: Log
  readonly signal: AbortSignal
  /** Told how each handling ended, for metrics. Default: nobody. */
  readonly onHandled?: (outcome: 'handled' | 'failed') => void
}

/**
 * Consumes a topic until `signal` fires: subscribes (again when the broker forgot), pulls the next messages while it handles
 * some, at most `concurrency` at a time and as many in waiting, and settles them in batches.
 * @returns a promise that resolves once all has stopped
 */
export async function runConsumer(options: ConsumerOptions): Promise<void> {
  const { broker, topic, group, consumer, ackWaitMs = ACK_WAIT_MS, signal, log } = options
  const retries = createRetries({ ...BROKER_BACK_OFF, what: `Consuming ${topic} waits for the broker`, log, signal })
  while (!signal.aborted) {
    try {
      const subscription = await broker.subscribe({ topic, group, ackWaitMs, consumer })
      retries.succeeded()
      await pullFrom(subscription, options, retries)
    } catch (fault) {
      await retries.failed(fault)
    }
  }
}

/** Pulls and handles until `signal` fires or the subscription is gone. */
async function pullFrom(subscription: string, options: ConsumerOptions, retries: Retries): Promise<void> {
  const { broker, consumer, concurrency = 64, signal, log } = options
  const settlement = startSettlement({ subscription, broker, log })
  const workers = createWorkers(options, settlement)
  const ended = new AbortController()
  const renewing = renewLeases(subscription, options, workers, AbortSignal.any([signal, ended.signal]))
  try {
    while (!signal.aborted) {
      try {
        await workers.patience.untilNextTry(signal)
        const max = workers.patience.isWell ? concurrency : 1
        const messages = await broker.pull(subscription, { max, waitSeconds: WAIT_SECONDS, consumer, signal })
        retries.succeeded()
        workers.add(messages)
        await workers.room()
        if (messages.length < max) await pause(linger(messages.length), signal)
      } catch (fault) {
        if (signal.aborted) break
        if (toAppError(fault).code === 'NOT_FOUND') {
          log.info(`The broker doesn't know the subscription to ${options.topic} any more: subscribing again`)
          await pause(RESUBSCRIBE_MS, signal)
          break
        }
        await retries.failed(fault)
      }
    }
  } finally {
    ended.abort()
    await renewing
    await workers.drain()
    await settlement.close()
  }
}

/** Begins the leases of all that is in hand anew, until `signal` fires. */
async function renewLeases(
  subscription: string,
  { broker, consumer, ackWaitMs = ACK_WAIT_MS, log }: ConsumerOptions,
  workers: Pick<Workers, 'inHand'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await pause(ackWaitMs / RENEWALS, signal)
    const tokens = workers.inHand()
    if (tokens.length === 0 || signal.aborted) continue
    try {
      await broker.renew(subscription, tokens, { consumer })
    } catch (fault) {
      log.debug(`Leases were not renewed: ${messageOf(fault)}`, { subscription })
    }
  }
}

type Workers = ReturnType<typeof createWorkers>

/** Handles messages, `concurrency` at a time, the rest in a queue. */
function createWorkers(options: ConsumerOptions, settlement: Settlement) {
  const { concurrency = 64, signal } = options
  const queue: PulledMessage[] = []
  const handled: (PulledMessage | undefined)[] = []
  const finished = createWakeUp()
  const patience = createPatience(MOST_PATIENCE_MS)
  let running = 0

  async function work(): Promise<void> {
    running++
    const slot = handled.includes(undefined) ? handled.indexOf(undefined) : handled.length
    while (!signal.aborted) {
      const message = queue.shift()
      if (!message) break
      handled[slot] = message
      patience.heard(await handle(message, options, settlement))
      if (!patience.isWell) giveBack('the consumer is not well')
      finished.ring()
    }
    handled[slot] = undefined
    running--
    finished.ring()
  }

  /** Gives back what hasn't begun. */
  function giveBack(reason: string): void {
    for (const { ack } of queue.splice(0)) settlement.nack(ack, reason, true)
  }

  return {
    patience,
    add(messages: readonly PulledMessage[]): void {
      queue.push(...messages)
      for (let free = Math.min(concurrency - running, messages.length); free > 0; free--) void work()
    },
    /** Resolves when another pull's worth of messages may come: at most `concurrency` are in hand, and none while they are tried one at a time. */
    async room(): Promise<void> {
      const isFull = () => running + queue.length > (patience.isWell ? concurrency : 0)
      while (isFull() && !signal.aborted) await finished.sleep(DRAIN_MS, signal)
    },
    /** The tokens of all that hasn't been settled. */
    inHand(): readonly string[] {
      return [...queue, ...handled].flatMap((message) => message?.ack ?? [])
    },
    /** Gives back what hasn't begun and waits for what has. */
    async drain(): Promise<void> {
      giveBack('the consumer stopped')
      const limit = AbortSignal.timeout(DRAIN_MS)
      while (running > 0 && !limit.aborted) await finished.sleep(DRAIN_MS, limit)
    },
  }
}

/**
 * Handles one message in a scope of its own, as part of its publisher's trace. Never rejects.
 * @returns whether it was put off for a fault that passes
 */
async function handle(message: PulledMessage, options: ConsumerOptions, settlement: Settlement): Promise<boolean> {
  const { ack, ...event } = message
  const span = options.tracing.start(`process ${event.topic}`, {
    kind: 'consumer',
    parent: readTraceContext(event.attributes) ?? null,
    attributes: {
      'messaging.system': 'msvc',
      'messaging.operation.type': 'process',
      'messaging.destination.name': event.topic,
      'messaging.message.id': event.id,
      'messaging.consumer.group.name': options.group,
    },
  })
  return runInScope({ span, requestId: event.id }, async () => {
    try {
      await options.handle(event)
      span.end()
      options.onHandled?.('handled')
      options.log.info(`handled ${event.topic}`, { message_id: event.id, delivery: event.delivery })
      settlement.ack(ack)
      return false
    } catch (fault) {
      const reason = messageOf(fault)
      const later = saysLater(toAppError(fault).status)
      span.end({ failed: true, message: reason })
      options.onHandled?.('failed')
      options.log.warning(`Handling ${event.topic} failed: ${reason}`, {
        message_id: event.id,
        delivery: event.delivery,
      })
      settlement.nack(ack, reason.slice(0, 500), later)
      return later
    }
  })
}
