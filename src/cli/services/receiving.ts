import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { makePrivateFolder } from '../../drivers/private-folder.ts'
import { replaceFile } from '../../drivers/replaced-file.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { backOff } from '../../kit/back-off.ts'
import { nodeCall } from '../../kit/http/node-call.ts'
import { isRecord } from '../../kit/record.ts'
import { createWakeUp } from '../../kit/wake-up.ts'

/** Messages of a topic that a service is to get. */
export interface Receipt {
  readonly service: string
  /** A topic or a pattern. */
  readonly topic: string
  /** Where each is posted. */
  readonly url: string
  readonly maxDeliver: number | undefined
  /** Seconds. */
  readonly ackWait: number | undefined
}

/** How a broker is told who receives what. */
export interface ReceivingOptions {
  /** The broker's address; undefined where there is none. */
  readonly url: string | undefined
  readonly authority: Pick<Authority, 'mode' | 'serviceToken'>
  /** The platform's data folder. */
  readonly data: string
  readonly warn: (words: string) => void
}

/** The subscriptions of users' services. */
export interface Receiving {
  /** From now on these receive, and nobody else who was told of here. */
  set(receipts: readonly Receipt[]): void
  /** The broker is there again: what could not be said to it is. */
  ring(): void
  close(): Promise<void>
}

const BROKER = 'broker'
const ANSWER_MS = 5_000
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000

/** A subscription that was made here: by it is known which to end when its line is gone from the file. */
const Made = z.array(z.object({ id: z.string(), service: z.string(), topic: z.string() }))
type Made = z.infer<typeof Made>

/** What the broker refuses, however often it is asked. */
class Refusal extends Error {}

/**
 * Keeps the broker's push subscriptions as the file has them: made, changed and ended, whatever platform ran on the data folder before. What can't be said to the
 * broker now is said again; a refusal is told once.
 */
export function createReceiving({ url, authority, data, warn }: ReceivingOptions): Receiving {
  const folder = join(data, 'services')
  const path = join(folder, 'subscriptions.json')
  const stop = new AbortController()
  const bell = createWakeUp()
  let wanted: readonly Receipt[] | undefined
  const keeping = url === undefined ? Promise.resolve() : keep()

  async function keep(): Promise<void> {
    let failures = 0
    while (!stop.signal.aborted) {
      const now = wanted
      try {
        if (now) await settle(now)
        if (wanted === now) wanted = undefined
        failures = 0
      } catch (fault) {
        failures++
        if (fault instanceof Refusal) {
          warn(fault.message)
          if (wanted === now) wanted = undefined
        }
      }
      const most = { firstMs: FIRST_PAUSE_MS, mostMs: LONGEST_PAUSE_MS, random: Math.random }
      await bell.sleep(wanted ? backOff(Math.max(1, failures), most) : IDLE_MS, stop.signal)
    }
  }

  async function settle(receipts: readonly Receipt[]): Promise<void> {
    const before = await readMade()
    if (receipts.length === 0 && before.length === 0) return
    const after: Made = []
    for (const receipt of receipts) after.push({ ...receiptKey(receipt), id: await subscribe(receipt) })
    const gone = before.filter(({ id }) => !after.some((made) => made.id === id))
    for (const { id, service } of gone) await call(service, 'DELETE', `/broker/subscriptions/${encodeURIComponent(id)}`)
    makePrivateFolder(folder)
    await replaceFile(path, JSON.stringify(after))
  }

  async function subscribe({ service, topic, url: to, maxDeliver, ackWait }: Receipt): Promise<string> {
    const said = await call(service, 'POST', '/broker/subscriptions', {
      topic,
      group: service,
      push: { url: to },
      ...(maxDeliver !== undefined && { max_deliver: maxDeliver }),
      ...(ackWait !== undefined && { ack_wait: ackWait }),
    })
    if (isRecord(said) && typeof said.id === 'string') return said.id
    throw new Error('the broker did not name the subscription')
  }

  async function call(service: string, method: string, path: string, body?: unknown): Promise<unknown> {
    const token = authority.mode === 'token' ? await authority.serviceToken(service, BROKER) : undefined
    const answer = await nodeCall(`${url}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.any([stop.signal, AbortSignal.timeout(ANSWER_MS)]),
    })
    if (answer.ok && answer.status !== 204) return answer.json()
    const said = answer.status === 204 ? undefined : await answer.json().catch(() => undefined)
    // one that is gone already is gone
    if (answer.ok || (method === 'DELETE' && answer.status === 404)) return undefined
    const detail = isRecord(said) ? (said.detail ?? said.title) : ''
    const words = `the broker refuses what ${service} receives: ${detail} (status ${answer.status})`
    throw answer.status < 500 && answer.status !== 429 ? new Refusal(words) : new Error(words)
  }

  async function readMade(): Promise<Made> {
    try {
      return Made.parse(JSON.parse(await readFile(path, 'utf8')))
    } catch {
      return []
    }
  }

  return {
    set(receipts) {
      wanted = receipts
      bell.ring()
    },
    ring: () => bell.ring(),
    async close() {
      stop.abort()
      await keeping
    },
  }
}

/** Until somebody rings. */
const IDLE_MS = 2_147_483_647

const receiptKey = ({ service, topic }: Receipt) => ({ service, topic })
