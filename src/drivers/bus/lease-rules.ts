import { patienceMs } from './patience.ts'

/** What all states of a handed-out message share. */
export interface Handed {
  /** Key of its topic. */
  readonly topic: number
  readonly offset: number
  readonly position: number
  /** What it stays in order with; undefined for nothing. */
  readonly key?: string | undefined
  /** Deliveries since it was published or last redriven. */
  readonly deliveries: number
  /** Of these, those that don't count as in vain. */
  readonly spared: number
  /** Milliseconds it was put off, since it was published or last redriven. */
  readonly waitedMs: number
  /** With the position it names one delivery for good: how many there ever were, or, on NATS, a place in the journal. */
  readonly attempt: number
}

/**
 * A message that was handed out and is neither acknowledged nor dead. Times are monotonic milliseconds.
 * - `leased`: a consumer, perhaps one that is known by name, has it until `until`, and its token ends it.
 * - `delayed`: given back, comes again at `until`.
 * - `ready`: to be handed out again; no token is good. `reason` is why the last delivery came to nothing.
 * - `interrupted`: was on lease when the process stopped, or had been (that a lease ran out is not written down). To be
 *   handed out again, but until then its token is good.
 */
export type Unsettled =
  | (Handed & { readonly at: 'leased'; readonly until: number; readonly consumer: string | undefined })
  | (Handed & { readonly at: 'delayed'; readonly until: number; readonly reason: string })
  | (Handed & { readonly at: 'ready'; readonly reason: string })
  | (Handed & { readonly at: 'interrupted' })

/** A message that is to be handed out no more, and why. */
export interface Dead {
  readonly at: 'dead'
  readonly reason: string
}

type Leased = Unsettled & { readonly at: 'leased' }

const EXPIRED = 'lease expired'

/** Times that a message is left behind, by a consumer that is gone or a bus that stopped, before that counts: it may be what they die of. */
const SPARED = 3

/** A lease to begin. */
interface Lease {
  readonly now: number
  readonly ackWaitMs: number
  readonly consumer?: string | undefined
}

/** Hands a message out for the first time. */
export function firstLease(
  { topic, offset, position, key }: Pick<Handed, 'topic' | 'offset' | 'position' | 'key'>,
  { now, ackWaitMs, consumer }: Lease,
): Leased {
  const counts = { deliveries: 1, spared: 0, waitedMs: 0, attempt: 1 }
  return { topic, offset, position, key, ...counts, at: 'leased', until: now + ackWaitMs, consumer }
}

/** A message as it is when it may be handed out and has not been, as one that was held back or a redriven one. */
export function untouched(
  { topic, offset, position, key, attempt }: Pick<Handed, 'topic' | 'offset' | 'position' | 'key' | 'attempt'>,
  reason: string,
): Unsettled {
  const counts = { deliveries: 0, spared: 0, waitedMs: 0, attempt }
  return { topic, offset, position, key, ...counts, at: 'ready', reason }
}

/** Hands a message out again, or finds that it has had its deliveries. Only for `ready` and `interrupted`. */
export function leaseAgain(
  message: Unsettled,
  { now, ackWaitMs, consumer, maxDeliver }: Lease & { maxDeliver: number },
): Leased | Dead {
  if (isWornOut(message, maxDeliver)) {
    return {
      at: 'dead',
      reason: message.at === 'ready' ? message.reason : 'the broker stopped during the last delivery',
    }
  }
  const { deliveries, attempt } = message
  const counts = { deliveries: deliveries + 1, attempt: attempt + 1 }
  return { ...handed(message), ...counts, at: 'leased', until: now + ackWaitMs, consumer }
}

/** Begins the lease of a message anew whose token is current. */
export function renewed(message: Unsettled, { now, ackWaitMs }: Lease): Leased {
  const consumer = message.at === 'leased' ? message.consumer : undefined
  return { ...handed(message), at: 'leased', until: now + ackWaitMs, consumer }
}

/** Whether the token of delivery `attempt` still speaks for the message: not once its lease is over, nor for an older one. */
export function isCurrent(message: Unsettled, attempt: number, now: number): boolean {
  if (message.attempt !== attempt) return false
  return message.at === 'interrupted' || (message.at === 'leased' && message.until > now)
}

/** How a message comes back: not before `delayMs` have passed. */
interface Return {
  readonly now: number
  readonly delayMs: number
  readonly reason: string
}

/** What becomes of a message that is given back: it waits `delayMs`, or this was its last delivery. */
export function givenBack(message: Unsettled, how: Return & { maxDeliver: number }): Unsettled | Dead {
  return isWornOut(message, how.maxDeliver) ? { at: 'dead', reason: how.reason } : delayed(message, how)
}

/** What becomes of a message that is given back before anybody looked at it: as if it had not been delivered. */
export function givenBackUnseen(message: Unsettled, how: Return): Unsettled {
  return { ...delayed(message, how), deliveries: message.deliveries - 1 }
}

/** What becomes of a message that its consumer couldn't take at the moment: it waits, without end but for `giveUpAfterMs`. */
export function putOff(message: Unsettled, how: Return & { random: number; giveUpAfterMs: number }): Unsettled | Dead {
  const { spared, waitedMs } = message
  if (waitedMs >= how.giveUpAfterMs) return { at: 'dead', reason: how.reason }
  const delayMs = Math.max(how.delayMs, patienceMs(waitedMs, how.random))
  return { ...delayed(message, { ...how, delayMs }), spared: spared + 1, waitedMs: waitedMs + delayMs }
}

/** What becomes of a message whose consumer is gone: the next one may have it at once, unless too many are gone that had it. */
export function leftBehind(
  message: Unsettled,
  {
    now,
    random,
    maxDeliver,
    reason = 'the consumer went away',
  }: { now: number; random: number; maxDeliver: number; reason?: string },
): Unsettled | Dead {
  if (message.spared >= SPARED) {
    return givenBack(message, { now, delayMs: backoffMs(message.deliveries, random), reason, maxDeliver })
  }
  return { ...handed(message), spared: message.spared + 1, at: 'ready', reason }
}

/** A message as it is after a restart: on lease when the bus stopped, which its consumers needn't have been the reason of. */
export function interrupted(message: Handed): Unsettled {
  const { spared } = message
  return { ...handed(message), spared: spared < SPARED ? spared + 1 : spared, at: 'interrupted' }
}

/** What time makes of a message: an expired lease is ready again or dead, a delay that is over makes ready. */
export function atTime(message: Unsettled, now: number, maxDeliver: number): Unsettled | Dead {
  if ((message.at !== 'leased' && message.at !== 'delayed') || message.until > now) return message
  const reason = message.at === 'delayed' ? message.reason : EXPIRED
  if (message.at === 'leased' && isWornOut(message, maxDeliver)) return { at: 'dead', reason }
  return { ...handed(message), at: 'ready', reason }
}

function isWornOut({ deliveries, spared }: Handed, maxDeliver: number): boolean {
  return deliveries - spared >= maxDeliver
}

function handed({ topic, offset, position, key, deliveries, spared, waitedMs, attempt }: Handed): Handed {
  return { topic, offset, position, key, deliveries, spared, waitedMs, attempt }
}

function delayed(message: Handed, { now, delayMs, reason }: Return): Unsettled {
  return { ...handed(message), at: 'delayed', until: now + delayMs, reason }
}

const BASE_MS = 100
const MOST_MS = 30_000

/**
 * How long a message given back without a delay waits: 100 ms doubling with each delivery up to 30 s, and up to half of that
 * more by chance, so that messages that failed together don't come back together.
 * @param random from 0 to 1.
 */
export function backoffMs(deliveries: number, random: number): number {
  return Math.min(MOST_MS, BASE_MS * 2 ** (deliveries - 1)) * (1 + random / 2)
}
