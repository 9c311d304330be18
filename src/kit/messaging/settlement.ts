import { backOff } from '../back-off.ts'
import { type ErrorCode, toAppError } from '../errors.ts'
import { pause } from '../pause.ts'
import type { Log } from '../telemetry/log.ts'
import { createWakeUp } from '../wake-up.ts'
import type { BrokerClient } from './broker-client.ts'
import { linger } from './linger.ts'

/** Tries of one round. What still isn't told then comes again when its lease ends, and the inbox knows it. */
const ATTEMPTS = 4
/** The subscription or the leases are gone: telling it again changes nothing. */
const FINAL: ReadonlySet<ErrorCode> = new Set(['NOT_FOUND', 'CONFLICT'])
/** How often a sleeping loop looks by itself, in milliseconds. It is rung for all there is to do; this only bounds a mistake. */
const IDLE_MS = 60_000

/** Tells the broker which messages were handled and which come back, many in one request. */
export interface Settlement {
  /** A message was handled. */
  ack(token: string): void
  /** A message could not be handled: it is to come again. @param later that wasn't its own fault */
  nack(token: string, reason: string, later: boolean): void
  /** Tells what is left and ends. */
  close(): Promise<void>
}

/** Deliveries that are given back for the same reason. */
interface Returned {
  readonly reason: string
  readonly later: boolean
  readonly tokens: string[]
}

/** What a settlement works with. */
export interface SettlementOptions {
  /** The subscription's id. */
  readonly subscription: string
  readonly broker: Pick<BrokerClient, 'ack' | 'nack'>
  readonly log: Log
}

/** Starts the settlement of one subscription's deliveries. It never rejects: what can't be told is logged, and comes again. */
export function startSettlement({ subscription, broker, log }: SettlementOptions): Settlement {
  const bell = createWakeUp()
  const closing = new AbortController()
  let acks: string[] = []
  let nacks = new Map<string, Returned>()

  async function attempt(what: string, tell: () => Promise<void>): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        return await tell()
      } catch (fault) {
        const { code, message } = toAppError(fault)
        if (failures === ATTEMPTS || FINAL.has(code)) {
          return log.warning(`The broker wasn't told of ${what} messages, they will come again: ${message}`, {
            subscription,
          })
        }
        await pause(backOff(failures), closing.signal)
      }
    }
  }

  async function run(): Promise<void> {
    for (;;) {
      const [done, returned] = [acks, nacks]
      acks = []
      nacks = new Map()
      if (done.length === 0 && returned.size === 0) {
        if (closing.signal.aborted) return
        await bell.sleep(IDLE_MS, closing.signal)
        continue
      }
      const calls = Array.from(returned.values(), ({ tokens, ...how }) =>
        attempt('failed', () => broker.nack(subscription, tokens, how)),
      )
      if (done.length > 0) calls.push(attempt('handled', () => broker.ack(subscription, done)))
      await Promise.all(calls)
      await pause(linger(done.length + returned.size), closing.signal)
    }
  }

  const stopped = run()
  return {
    ack(token) {
      acks.push(token)
      bell.ring()
    },
    nack(token, reason, later) {
      const key = `${later} ${reason}`
      const same = nacks.get(key)
      if (same) same.tokens.push(token)
      else nacks.set(key, { reason, later, tokens: [token] })
      bell.ring()
    },
    async close() {
      closing.abort()
      await stopped
    },
  }
}
