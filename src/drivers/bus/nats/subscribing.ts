import { randomUUIDv7 } from 'node:crypto'
import { DriverError } from '../../driver-error.ts'
import type { SubscriptionSpec, SubscriptionTerms } from '../consumer.ts'
import type { BusLimits } from '../contract.ts'
import { topicPattern } from '../topic-pattern.ts'
import { type Names, type SubscriptionName, subscriptionSubject } from './names.ts'
import type { Streams } from './streams.ts'

const MAX_SUBSCRIPTIONS = 1_000
const MAX_DELIVER = 5
const ACK_WAIT_MS = 30_000
/** A day. */
const GIVE_UP_AFTER_MS = 86_400_000

/** What subscriptions are made with. */
export interface SubscribingOptions {
  readonly streams: Streams
  readonly names: Names
  readonly limits: BusLimits
  /** Wall clock. */
  readonly now: () => number
}

/** Makes subscriptions and takes them away, by name. */
export class Subscribing {
  readonly #options: SubscribingOptions

  constructor(options: SubscribingOptions) {
    this.#options = options
  }

  /**
   * Makes one that begins behind a sequence, or brings the one of this topic and group up to date.
   * @throws DriverError `invalid` for what makes no sense, `conflict` for another's group, `too-many`
   */
  async subscribe(spec: SubscriptionSpec, after: number): Promise<SubscriptionName> {
    check(spec)
    const { names, streams, now } = this.#options
    await names.refresh()
    const { name } = await names.change((last) => {
      const known = this.#ofGroup(spec)
      const name =
        known === undefined
          ? this.#made(spec, { key: last + 1, after, madeAt: Math.floor(now()) })
          : renewed(known, spec)
      const isNew = JSON.stringify(name) !== JSON.stringify(known)
      return { name, changes: isNew ? [{ subject: subscriptionSubject(streams, name.id), record: name }] : [] }
    })
    return name
  }

  /** Takes one away. False where there was none. */
  async unsubscribe(id: string): Promise<boolean> {
    const { names, streams } = this.#options
    if (!names.subscriptions.has(id)) await names.refresh()
    const { changes } = await names.change(() => ({
      changes: names.subscriptions.has(id) ? [{ subject: subscriptionSubject(streams, id), record: null }] : [],
    }))
    return changes.length > 0
  }

  /** Those there are, of a topic or a group alone, the oldest first. */
  list({ topic, group }: { topic?: string | undefined; group?: string | undefined }): readonly SubscriptionName[] {
    return [...this.#options.names.subscriptions.values()]
      .filter((one) => (topic === undefined || one.topic === topic) && (group === undefined || one.group === group))
      .sort((a, b) => a.key - b.key)
  }

  #ofGroup({ topic, group }: SubscriptionSpec): SubscriptionName | undefined {
    if (group === undefined) return undefined
    return this.#options.names.subscriptions.values().find((one) => one.group === group && one.topic === topic)
  }

  #made(spec: SubscriptionSpec, at: Pick<SubscriptionName, 'key' | 'after' | 'madeAt'>): SubscriptionName {
    const { topic, group, owner, reserved = false } = spec
    if (!reserved) this.#checkRoom(owner)
    return {
      id: randomUUIDv7(),
      ...at,
      topic,
      ...(group !== undefined && { group }),
      ...(owner !== undefined && { owner }),
      ...termsIn(spec),
    }
  }

  #checkRoom(owner: string | undefined): void {
    const { names, limits } = this.#options
    const { maxSubscriptions = MAX_SUBSCRIPTIONS, maxSubscriptionsPerOwner = maxSubscriptions } = limits
    if (names.subscriptions.size >= maxSubscriptions) {
      const message = `there are ${maxSubscriptions} subscriptions, as many as there may be: remove those that nobody uses`
      throw new DriverError('too-many', message)
    }
    if (owner === undefined) return
    const own = [...names.subscriptions.values()].filter((one) => one.owner === owner).length
    if (own < maxSubscriptionsPerOwner) return
    const message = `${owner} has ${own} subscriptions, as many as one may have: remove those that nobody uses`
    throw new DriverError('too-many', message)
  }
}

/** What of a subscription callers see, besides its counts. */
export function termsOf(name: SubscriptionName): SubscriptionTerms {
  const { id, topic, group, owner, pushUrl, maxDeliver, ackWaitMs, giveUpAfterMs, expiresAfterMs } = name
  return {
    id,
    topic,
    maxDeliver,
    ackWaitMs,
    giveUpAfterMs,
    ...(group === undefined ? {} : { group }),
    ...(owner === undefined ? {} : { owner }),
    ...(expiresAfterMs === undefined ? {} : { expiresAfterMs }),
    ...(pushUrl === undefined ? {} : { push: { url: pushUrl } }),
  }
}

function renewed(known: SubscriptionName, spec: SubscriptionSpec): SubscriptionName {
  const { owner } = spec
  if (owner !== undefined && known.owner !== undefined && owner !== known.owner) {
    throw new DriverError('conflict', `the group ${known.group} of ${known.topic} belongs to ${known.owner}`)
  }
  const { id, key, after, madeAt, topic, group, owner: before = owner } = known
  return {
    id,
    key,
    after,
    madeAt,
    topic,
    ...(group !== undefined && { group }),
    ...(before !== undefined && { owner: before }),
    ...termsIn(spec),
  }
}

type Terms = Pick<SubscriptionName, 'pushUrl' | 'maxDeliver' | 'ackWaitMs' | 'giveUpAfterMs' | 'expiresAfterMs'>

function termsIn(spec: SubscriptionSpec): Terms {
  const { push, maxDeliver = MAX_DELIVER, ackWaitMs = ACK_WAIT_MS, expiresAfterMs } = spec
  const { giveUpAfterMs = GIVE_UP_AFTER_MS } = spec
  return {
    maxDeliver,
    ackWaitMs,
    giveUpAfterMs,
    ...(push !== undefined && { pushUrl: push.url }),
    ...(expiresAfterMs !== undefined && { expiresAfterMs }),
  }
}

function check(spec: SubscriptionSpec): void {
  const { maxDeliver, ackWaitMs, giveUpAfterMs, expiresAfterMs = 1 } = { ...termsIn(spec) }
  topicPattern(spec.topic)
  refuseUnless(Number.isSafeInteger(maxDeliver) && maxDeliver > 0, 'maxDeliver is a whole number from 1')
  refuseUnless(Number.isFinite(ackWaitMs) && ackWaitMs > 0, 'ackWaitMs is a positive number of milliseconds')
  refuseUnless(giveUpAfterMs >= 0, 'giveUpAfterMs is a number of milliseconds from 0')
  refuseUnless(expiresAfterMs > 0, 'expiresAfterMs is a positive number')
}

function refuseUnless(holds: boolean, rule: string): void {
  if (!holds) throw new DriverError('invalid', `cannot subscribe: ${rule}`)
}
