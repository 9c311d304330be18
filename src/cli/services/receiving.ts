import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { makePrivateFolder } from '../../drivers/private-folder.ts'
import { replaceFile } from '../../drivers/replaced-file.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { backOff } from '../../kit/back-off.ts'
import { messageOf } from '../../kit/errors.ts'
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
  /** Milliseconds until the first failure is made good, twice as many after each more. Default 200. */
  readonly firstPauseMs?: number
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
const LONGEST_PAUSE_MS = 5_000

/** A subscription that was made here: by it is known which to end when its line is gone from the file. */
const Made = z.array(z.object({ id: z.string(), service: z.string(), topic: z.string() }))
type Made = z.infer<typeof Made>

/** Rounds in a row that fail until a person is told: of what is refused for good at once, of what may pass later, and of a broker that may just be starting. */
const TOLD_AFTER = { refused: 1, failing: 5, away: 8 } as const
/** How many subscriptions are asked for at a time. */
const AT_ONCE = 16

/** What could not be said to the broker. Of those with the same `key` the first is told. */
class Failure extends Error {
  readonly key: string
  readonly kind: keyof typeof TOLD_AFTER

  constructor(kind: keyof typeof TOLD_AFTER, key: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
    this.key = key
  }
}

/** What is to be so, and how far it is. */
interface Goal {
  readonly receipts: readonly Receipt[]
  /** Names of the subscriptions that were made. */
  readonly ids: Map<Receipt, string>
  readonly failures: Map<Receipt, Failure>
  rounds: number
}

/**
 * Keeps the broker's push subscriptions as the file has them: made, changed and ended, whatever platform ran on the data folder before. Each stands for itself:
 * one that fails keeps no other from being made. What can't be said to the broker now is said again; what goes on failing is told once, and again when it changes.
 */
export function createReceiving(options: ReceivingOptions): Receiving {
  const { url, authority, data, warn, firstPauseMs = 200 } = options
  const folder = join(data, 'services')
  const path = join(folder, 'subscriptions.json')
  const stop = new AbortController()
  const bell = createWakeUp()
  let goal: Goal | undefined
  let told: ReadonlySet<string> = new Set()
  const keeping = url === undefined ? Promise.resolve() : keep()

  async function keep(): Promise<void> {
    while (!stop.signal.aborted) {
      const now = goal
      if (now) {
        now.rounds++
        const failures = await settle(now)
        if (!stop.signal.aborted) tell(failures, now.rounds)
        if (goal === now && failures.every(({ kind }) => kind === 'refused')) goal = undefined
      }
      const most = { firstMs: firstPauseMs, mostMs: LONGEST_PAUSE_MS, random: Math.random }
      await bell.sleep(goal ? backOff(Math.max(1, goal.rounds), most) : IDLE_MS, stop.signal)
    }
  }

  function tell(failures: readonly Failure[], rounds: number): void {
    // what was told before the file changed is not told anew
    const due = failures.filter(({ kind, key }) => told.has(key) || rounds >= TOLD_AFTER[kind])
    const first = new Map(due.toReversed().map((failure) => [failure.key, failure]))
    for (const [key, { message }] of first) if (!told.has(key)) warn(message)
    told = new Set(first.keys())
  }

  /** Takes what is left a step further. Resolves with all that fails. */
  async function settle(goal: Goal): Promise<readonly Failure[]> {
    const { receipts, ids, failures } = goal
    const before = await readMade()
    if (receipts.length === 0 && before.length === 0) return []
    const left = receipts.filter((receipt) => !ids.has(receipt) && failures.get(receipt)?.kind !== 'refused')
    for (let at = 0; at < left.length; at += AT_ONCE) {
      await Promise.all(left.slice(at, at + AT_ONCE).map((receipt) => make(goal, receipt)))
    }
    const after: Made = receipts.flatMap((receipt) => {
      const id = ids.get(receipt)
      return id === undefined ? [] : [{ ...receiptKey(receipt), id }]
    })
    const others: Failure[] = []
    for (const one of before.filter(({ id }) => !after.some((made) => made.id === id))) {
      const isFailing = [...failures.keys()].some(
        ({ service, topic }) => service === one.service && topic === one.topic,
      )
      const failure = isFailing ? undefined : await end(one)
      if (failure) others.push(failure)
      if (isFailing || failure) after.push(one)
    }
    try {
      makePrivateFolder(folder)
      await replaceFile(path, JSON.stringify(after))
    } catch (cause) {
      const words = `what services receive can't be kept in ${path}: ${messageOf(cause)}`
      others.push(new Failure('failing', path, words, { cause }))
    }
    return [...failures.values(), ...others]
  }

  async function make({ ids, failures }: Goal, receipt: Receipt): Promise<void> {
    try {
      ids.set(receipt, await subscribe(receipt))
      failures.delete(receipt)
    } catch (fault) {
      failures.set(receipt, failureOf(receipt.service, fault))
    }
  }

  async function end({ id, service }: Made[number]): Promise<Failure | undefined> {
    try {
      await call(service, 'DELETE', `/broker/subscriptions/${encodeURIComponent(id)}`)
      return undefined
    } catch (fault) {
      return failureOf(service, fault)
    }
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
    const answer = await ask(`${url}${path}`, {
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
    const { status } = answer
    const what = `what ${service} receives: ${detail} (status ${status})`
    const key = `${service} ${status}`
    if (status < 500 && status !== 429) throw new Failure('refused', key, `the broker refuses ${what}`)
    throw new Failure('failing', key, `the broker does not take ${what}; it is asked again`)
  }

  async function ask(...request: Parameters<typeof nodeCall>): ReturnType<typeof nodeCall> {
    try {
      return await nodeCall(...request)
    } catch (cause) {
      const words = `the broker at ${url} does not answer: services get no messages that they were not subscribed to before`
      throw new Failure('away', 'away', words, { cause })
    }
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
      goal = { receipts, ids: new Map(), failures: new Map(), rounds: 0 }
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

function failureOf(service: string, fault: unknown): Failure {
  if (fault instanceof Failure) return fault
  const words = `the broker can't be told what ${service} receives: ${messageOf(fault)}`
  return new Failure('failing', words, words, { cause: fault })
}
