/** What all states of a handed-out message share. */
interface Handed {
  /** Key of its topic. */
  readonly topic: number
  readonly offset: number
  readonly position: number
  /** Deliveries since it was published or last redriven. */
  readonly deliveries: number
  /** Deliveries ever: with the position it names one delivery for good. */
  readonly attempt: number
}

/**
 * A message that was handed out and is neither acknowledged nor dead. Times are monotonic milliseconds.
 * - `leased`: a consumer has it until `until`, and its token ends it.
 * - `delayed`: given back, comes again at `until`.
 * - `ready`: to be handed out again; no token is good. `reason` is why the last delivery came to nothing.
 * - `interrupted`: was on lease when the process stopped, or had been (that a lease ran out is not written down). To be
 *   handed out again, but until then its token is good.
 */
export type Unsettled =
  | (Handed & { readonly at: 'leased'; readonly until: number })
  | (Handed & { readonly at: 'delayed'; readonly until: number; readonly reason: string })
  | (Handed & { readonly at: 'ready'; readonly reason: string })
  | (Handed & { readonly at: 'interrupted' })

/** A message that is to be handed out no more, and why. */
export interface Dead {
  readonly at: 'dead'
  readonly reason: string
}

/** The limits a subscription sets. */
export interface LeaseLimits {
  readonly maxDeliver: number
  readonly ackWaitMs: number
}

const EXPIRED = 'lease expired'

/** Hands a message out for the first time. */
export function firstLease(
  place: { readonly topic: number; readonly offset: number; readonly position: number },
  now: number,
  { ackWaitMs }: LeaseLimits,
): Unsettled & { at: 'leased' } {
  const { topic, offset, position } = place
  return { topic, offset, position, deliveries: 1, attempt: 1, at: 'leased', until: now + ackWaitMs }
}

/** Hands a message out again, or finds that it has had its deliveries. Only for `ready` and `interrupted`. */
export function leaseAgain(
  message: Unsettled,
  now: number,
  limits: LeaseLimits,
): (Unsettled & { at: 'leased' }) | Dead {
  if (message.deliveries >= limits.maxDeliver) {
    return {
      at: 'dead',
      reason: message.at === 'ready' ? message.reason : 'the broker stopped during the last delivery',
    }
  }
  const again = firstLease(message, now, limits)
  return { ...again, deliveries: message.deliveries + 1, attempt: message.attempt + 1 }
}

/** Whether the token of delivery `attempt` still speaks for the message: not once its lease is over, nor for an older one. */
export function isCurrent(message: Unsettled, attempt: number, now: number): boolean {
  if (message.attempt !== attempt) return false
  return message.at === 'interrupted' || (message.at === 'leased' && message.until > now)
}

/** What becomes of a message that is given back: it waits `delayMs`, or this was its last delivery. */
export function givenBack(
  message: Unsettled,
  { now, delayMs, reason, maxDeliver }: { now: number; delayMs: number; reason: string; maxDeliver: number },
): Unsettled | Dead {
  if (message.deliveries >= maxDeliver) return { at: 'dead', reason }
  const { topic, offset, position, deliveries, attempt } = message
  return { topic, offset, position, deliveries, attempt, at: 'delayed', until: now + delayMs, reason }
}

/** What becomes of a message that is given back before anybody looked at it: as if it had not been delivered. */
export function givenBackUnseen(
  message: Unsettled,
  { now, delayMs, reason }: { now: number; delayMs: number; reason: string },
): Unsettled {
  const { topic, offset, position, deliveries, attempt } = message
  return { topic, offset, position, deliveries: deliveries - 1, attempt, at: 'delayed', until: now + delayMs, reason }
}

/** What time makes of a message: an expired lease is ready again or dead, a delay that is over makes ready. */
export function atTime(message: Unsettled, now: number, maxDeliver: number): Unsettled | Dead {
  if ((message.at !== 'leased' && message.at !== 'delayed') || message.until > now) return message
  const reason = message.at === 'delayed' ? message.reason : EXPIRED
  if (message.at === 'leased' && message.deliveries >= maxDeliver) return { at: 'dead', reason }
  const { topic, offset, position, deliveries, attempt } = message
  return { topic, offset, position, deliveries, attempt, at: 'ready', reason }
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
