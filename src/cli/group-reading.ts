import * as z from 'zod'
import { AppError } from '../kit/errors.ts'
import { Delivery, SubscriptionState } from '../roles/broker/contract.ts'
import type { Api } from './api.ts'
import { parseEvent } from './follow.ts'
import type { Session } from './session.ts'

/** Most messages that are with this reader and not yet acknowledged. */
const IN_HAND = 16

const Found = z.object({ subscriptions: z.array(SubscriptionState) })

/** What a group's reader wants. */
export interface GroupReadingOptions {
  readonly topic: string
  readonly group: string
  /** Where a new group begins. */
  readonly from: string
  /** Messages after which it has enough. */
  readonly limit: number
  /** Prints a message. */
  readonly print: (message: z.infer<typeof Delivery>) => void
  /** Called once the last of them is written and acknowledged. */
  readonly onEnough: () => void
}

/** A reader that shares a group's messages with others, for `follow`. */
export interface GroupReading {
  /** Finds the group's subscription, its settings left alone, or makes it; gives the path of its stream. */
  path(signal: AbortSignal): Promise<string>
  onData(data: string): void
}

/**
 * Reads a group's messages, prints them, and acknowledges them once they are written: what is printed to nobody comes again, to another of the
 * group. A reader of the output who leaves (`| head -1`) is seen between two writes: the first are small.
 */
export function createGroupReading({ io, messages }: Session, api: Api, options: GroupReadingOptions): GroupReading {
  const { topic, group, from, limit, print, onEnough } = options
  let subscription = ''
  let waiting: z.infer<typeof Delivery>[] = []
  let atOnce = 1
  let seen = 0
  let busy = false

  async function find(signal: AbortSignal): Promise<z.infer<typeof SubscriptionState>> {
    const query = new URLSearchParams({ topic, group })
    const { subscriptions } = Found.parse(await api.call(`/broker/subscriptions?${query}`, { signal }))
    if (subscriptions[0]) return subscriptions[0]
    const start = /^\d+$/.test(from) ? Number(from) : from
    return SubscriptionState.parse(
      await api.call('/broker/subscriptions', { method: 'POST', body: { topic, group, from: start }, signal }),
    )
  }

  async function work(): Promise<void> {
    busy = true
    while (waiting.length > 0 && seen < limit && !io.outputLost.aborted) {
      const batch = waiting.splice(0, Math.min(atOnce, limit - seen))
      for (const message of batch) print(message)
      await io.outputTaken()
      seen += batch.length
      atOnce = Math.min(2 * atOnce, IN_HAND)
      await acknowledge(batch.map(({ ack }) => ack))
    }
    busy = false
    if (seen >= limit) onEnough()
  }

  async function acknowledge(acks: readonly string[]): Promise<void> {
    try {
      await api.call(`/broker/subscriptions/${subscription}/ack`, { method: 'POST', body: { acks } })
    } catch (fault) {
      if (!io.leaving.aborted) messages.warn(`${acks.length} printed messages will come again: ${String(fault)}`)
    }
  }

  return {
    async path(signal) {
      const { id, push } = await find(signal)
      if (push) throw new AppError('CONFLICT', `The group ${group} gets its messages pushed to ${push.url}`)
      subscription = id
      // a stream that ended gives back what it had sent
      waiting = []
      return `/broker/subscriptions/${id}/stream?max=${Math.min(limit, IN_HAND)}`
    },
    onData(data) {
      waiting.push(Delivery.parse(parseEvent(data, 'broker')))
      // output that can't be written ends it all
      if (!busy) void work().catch(() => {})
    },
  }
}
