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
  /** Called once the last of them is acknowledged. */
  readonly onEnough: () => void
}

/** A reader that shares a group's messages with others, for `follow`. */
export interface GroupReading {
  /** Finds the group's subscription, its settings left alone, or makes it; gives the path of its stream. */
  path(signal: AbortSignal): Promise<string>
  onData(data: string): void
}

/**
 * Reads a group's messages and acknowledges each once whoever reads the output has taken it: what was printed to nobody comes again, to another
 * of the group.
 */
export function createGroupReading({ io, messages }: Session, api: Api, options: GroupReadingOptions): GroupReading {
  const { topic, group, from, limit, print, onEnough } = options
  let subscription = ''
  let printed: string[] = []
  let seen = 0
  let settling = false

  async function find(signal: AbortSignal): Promise<z.infer<typeof SubscriptionState>> {
    const query = new URLSearchParams({ topic, group })
    const { subscriptions } = Found.parse(await api.call(`/broker/subscriptions?${query}`, { signal }))
    if (subscriptions[0]) return subscriptions[0]
    const start = from === 'new' || from === 'first' ? from : Number(from)
    return SubscriptionState.parse(
      await api.call('/broker/subscriptions', { method: 'POST', body: { topic, group, from: start }, signal }),
    )
  }

  async function settle(): Promise<void> {
    settling = true
    while (printed.length > 0) {
      const acks = printed
      printed = []
      try {
        await io.outputTaken()
        await api.call(`/broker/subscriptions/${subscription}/ack`, { method: 'POST', body: { acks } })
      } catch (fault) {
        if (!io.leaving.aborted) messages.warn(`${acks.length} printed messages will come again: ${String(fault)}`)
      }
    }
    settling = false
    if (seen >= limit) onEnough()
  }

  return {
    async path(signal) {
      const { id, push } = await find(signal)
      if (push) throw new AppError('CONFLICT', `The group ${group} gets its messages pushed to ${push.url}`)
      subscription = id
      return `/broker/subscriptions/${id}/stream?max=${Math.min(limit, IN_HAND)}`
    },
    onData(data) {
      if (seen >= limit) return
      const message = Delivery.parse(parseEvent(data, 'broker'))
      seen++
      print(message)
      printed.push(message.ack)
      if (!settling) void settle()
    },
  }
}
