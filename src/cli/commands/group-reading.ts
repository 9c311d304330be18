import * as z from 'zod'
import { AppError } from '../../kit/errors.ts'
import { Delivery, SubscriptionState } from '../../roles/broker/contract.ts'
import type { Api } from '../session/api.ts'
import type { Session } from '../session/session.ts'
import { parseEvent } from './follow.ts'

/** Most messages that are with this reader and not yet acknowledged. */
const IN_HAND = 16

/** How long giving messages back may take, in milliseconds. */
const GIVE_BACK_MS = 1_000
/** Seconds until they come again. By then this reader has left: were it handed them once more, its leaving would count against them. */
const GIVEN_BACK_FOR_S = 1

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
  /** Fires when stdout can't be written and what was in hand is given back, so that it is nobody's fault. */
  readonly lost: AbortSignal
}

/**
 * Reads a group's messages, prints them, and acknowledges them once they are written: what is printed to nobody comes again, to another of the
 * group. Throws AppError `USAGE` where stdout is closed. A reader of the output who leaves (`| head -1`) is seen between two writes: the first are small.
 */
export function createGroupReading({ io, messages }: Session, api: Api, options: GroupReadingOptions): GroupReading {
  if (io.outputClosed) throw new AppError('USAGE', 'stdout is closed: messages would be taken and printed to nobody')
  const { topic, group, from, limit, print, onEnough } = options
  let subscription = ''
  const lost = new AbortController()
  let waiting: z.infer<typeof Delivery>[] = []
  let atOnce = 1
  let seen = 0
  let busy = false

  async function find(signal: AbortSignal): Promise<z.infer<typeof SubscriptionState>> {
    const query = new URLSearchParams({ topic, group })
    const { subscriptions } = await api.ask(Found, `/broker/subscriptions?${query}`, { signal })
    if (subscriptions[0]) return subscriptions[0]
    const start = /^\d+$/.test(from) ? Number(from) : from
    return await api.ask(SubscriptionState, '/broker/subscriptions', {
      method: 'POST',
      body: { topic, group, from: start },
      signal,
    })
  }

  async function work(): Promise<void> {
    busy = true
    while (waiting.length > 0 && seen < limit && !io.outputLost.aborted) {
      const batch = waiting.splice(0, Math.min(atOnce, limit - seen))
      for (const message of batch) print(message)
      try {
        await io.outputTaken()
      } catch {
        return giveBack([...batch, ...waiting])
      }
      seen += batch.length
      atOnce = Math.min(2 * atOnce, IN_HAND)
      await acknowledge(batch.map(({ ack }) => ack))
    }
    busy = false
    if (io.outputLost.aborted) return giveBack(waiting)
    if (seen >= limit) onEnough()
  }

  async function acknowledge(acks: readonly string[]): Promise<void> {
    try {
      await api.call(`/broker/subscriptions/${subscription}/ack`, { method: 'POST', body: { acks } })
    } catch (fault) {
      if (!io.leaving.aborted) messages.warn(`${acks.length} printed messages will come again: ${String(fault)}`)
    }
  }

  /** Nothing more can be printed: another of the group may have them, and none of them is to blame. */
  async function giveBack(unprinted: readonly z.infer<typeof Delivery>[]): Promise<void> {
    const acks = unprinted.map(({ ack }) => ack)
    const reason = 'the output of msvc subscribe can not be written'
    const body = { acks, later: true, delay: GIVEN_BACK_FOR_S, reason }
    const signal = AbortSignal.timeout(GIVE_BACK_MS)
    if (acks.length > 0)
      await api.call(`/broker/subscriptions/${subscription}/nack`, { method: 'POST', body, signal }).catch(() => {})
    lost.abort(io.outputLost.reason)
  }

  // whoever is busy finds out by himself
  const leave = () => {
    if (!busy) void giveBack(waiting)
  }
  io.outputLost.addEventListener('abort', leave, { once: true })

  return {
    lost: lost.signal,
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
      if (!busy) void work()
    },
  }
}
