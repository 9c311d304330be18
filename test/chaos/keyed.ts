import { setTimeout as delay } from 'node:timers/promises'
import type { Platform, UnitName } from './platform.ts'

const TOPIC = 'chaos.keyed'
const GROUP = 'chaos'
const KEYS = 20
/** Between two messages of one key: 40 a second of all of them. */
const PACE_MS = 500
const TIMEOUT_MS = 5_000
const RETRY_MS = 100
const ACK_WAIT_S = 5
const AT_ONCE = 50
/** One in so many is given back once. */
const GIVEN_BACK = 20

/** What became of numbered messages by key. */
export interface KeyedVerdict {
  /** Acknowledged by a broker. */
  readonly published: number
  /** Of these, never settled by a consumer. */
  readonly missing: number
  /** Handed out before the one before it was settled. */
  readonly overtook: number
}

/** Publishers of numbered messages by key, and consumers of one group that note in which order they get them. */
export interface Keyed {
  /** No further messages; those under way are waited for. */
  stop(): Promise<void>
  /** What was published, and what of it came. To be asked when all should have come. */
  judge(): Promise<KeyedVerdict>
}

interface Message {
  readonly id: string
  readonly ack: string
  readonly attributes: { readonly partitionkey?: string }
  readonly payload: number
}

/** Begins. Every publisher waits until its message is taken, and repeats it by the same id until then. */
export async function followKeys(platform: Platform, brokers: readonly UnitName[]): Promise<Keyed> {
  const published = new Map<string, number>()
  /** The number up to which all are settled, by key; and one whose settlement may have been heard, or not. */
  const settled = new Map<string, number>()
  const uncertain = new Map<string, number>()
  /** All that were settled, or may be, by key. */
  const done = new Map<string, Set<number>>()
  let overtook = 0
  let turn = 0
  const publishing = new AbortController()
  const consuming = new AbortController()

  /** Asks one broker after the other until one answers so that it counts. */
  async function ask(path: string, init: RequestInit, until: AbortSignal): Promise<unknown> {
    for (;;) {
      const broker = brokers[turn++ % brokers.length] ?? 'broker'
      try {
        const { url } = await platform.unit(broker)
        const answer = await fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
        const text = await answer.text()
        if (answer.ok) return JSON.parse(text)
        if (answer.status === 409 || answer.status === 404) return undefined
      } catch {
        // gone, or too late: the next one is asked
      }
      if (until.aborted) return undefined
      await delay(RETRY_MS)
    }
  }

  const post = (body: unknown): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

  async function publish(key: string): Promise<void> {
    for (let number = 1; !publishing.signal.aborted; number++) {
      const pace = delay(PACE_MS)
      const event = { 'ce-specversion': '1.0', 'ce-type': TOPIC, 'ce-source': '/chaos', 'ce-id': `${key}-${number}` }
      const headers = { ...event, 'ce-partitionkey': key, 'content-type': 'application/json' }
      const never = new AbortController().signal
      await ask(`/broker/publish/${TOPIC}`, { method: 'POST', headers, body: String(number) }, never)
      published.set(key, number)
      await pace
    }
  }

  async function consume(id: string): Promise<void> {
    while (!consuming.signal.aborted) {
      const path = `/broker/subscriptions/${id}/pull?max=${AT_ONCE}&wait=1`
      const pulled = (await ask(path, { method: 'POST' }, consuming.signal)) as { messages: Message[] } | undefined
      await Promise.all((pulled?.messages ?? []).map((message) => handle(id, message)))
    }
  }

  async function handle(id: string, { ack, payload: number, attributes }: Message): Promise<void> {
    const key = attributes.partitionkey ?? ''
    const upTo = settled.get(key) ?? 0
    const isNext = number <= upTo + 1 || number === (uncertain.get(key) ?? Number.NaN) + 1
    if (!isNext) overtook++
    if (Math.random() < 1 / GIVEN_BACK) {
      await ask(`/broker/subscriptions/${id}/nack`, post({ acks: [ack], delay: 0.2 }), AbortSignal.abort())
      return
    }
    done.set(key, (done.get(key) ?? new Set()).add(number))
    uncertain.set(key, Math.max(uncertain.get(key) ?? 0, number))
    const answer = await ask(`/broker/subscriptions/${id}/ack`, post({ acks: [ack] }), AbortSignal.abort())
    if (answer) settled.set(key, Math.max(settled.get(key) ?? 0, number))
  }

  const spec = { topic: TOPIC, group: GROUP, ack_wait: ACK_WAIT_S, from: 'first', max_deliver: 1_000 }
  const never = new AbortController().signal
  const { id } = (await ask('/broker/subscriptions', post(spec), never)) as { id: string }
  const publishers = Array.from({ length: KEYS }, (_, index) => publish(`key-${index}`))
  const consumers = [consume(id), consume(id)]
  return {
    async stop() {
      publishing.abort()
      await Promise.all(publishers)
    },
    async judge() {
      consuming.abort()
      await Promise.all(consumers)
      const counts = [...published].map(([key, number]) => {
        const all = Array.from({ length: number }, (_, index) => index + 1)
        return { number, missing: all.filter((one) => !done.get(key)?.has(one)).length }
      })
      const sum = (of: (count: (typeof counts)[number]) => number) => counts.reduce((total, one) => total + of(one), 0)
      return { published: sum(({ number }) => number), missing: sum(({ missing }) => missing), overtook }
    },
  }
}
