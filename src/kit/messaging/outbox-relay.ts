import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { AppError, messageOf } from '../errors.ts'
import { pause } from '../pause.ts'
import type { Log } from '../telemetry/log.ts'
import { createWakeUp } from '../wake-up.ts'
import type { BrokerClient } from './broker-client.ts'
import { linger } from './linger.ts'
import type { OutboxTable } from './messaging.ts'
import { OUTBOX_BELL } from './outbox.ts'
import { shareOf, type WaitingEvent } from './outbox-shares.ts'
import { BROKER_BACK_OFF } from './patience.ts'
import { createRetries } from './retries.ts'

/** Most events sent in one request. */
export const BATCH_EVENTS = 500
/** A request is closed once it holds this many characters. */
const BATCH_CHARACTERS = 2_097_152
/** How often the table is looked at without being told, in milliseconds: the net under a wake-up that came to nothing. */
const POLL_MS = 1_000

/** Milliseconds for which events may wait without one being sent before the outbox counts as one that doesn't drain. */
const DRAINS_WITHIN_MS = 5_000

/** What a relay works with. */
export interface RelayOptions<DB extends OutboxTable> {
  readonly store: Store<DB>
  /** Who takes events to send: a name that no other living process has, and that the next one in its place has too. */
  readonly holder: string
  readonly broker: Pick<BrokerClient, 'publish'>
  readonly log: Log
  readonly clock: Pick<Clock, 'monotonic'>
  readonly signal: AbortSignal
}

/** The sending half of an outbox. */
export interface Relay {
  /** Resolves while events leave within 5 s, throws why they don't; for health. */
  check(): Promise<void>
  /** Resolves once the relay has stopped, after `signal` fired. */
  readonly stopped: Promise<void>
}

/**
 * Sends an outbox's events to the broker in the order they were written, and forgets them once they are on its disk. Killed between
 * the two, it sends them again under the same ids, and the broker keeps one. Relays of other processes on one outbox share it (outbox-shares.ts).
 */
export function startRelay<DB extends OutboxTable>(options: RelayOptions<DB>): Relay {
  const { store, holder, broker, log, clock, signal } = options
  const share = shareOf(store, holder)
  const bell = createWakeUp()
  const deafen = store.onRing(OUTBOX_BELL, bell.ring)
  /** Since when the first of those in the outbox has waited to be sent and forgotten, or the outbox couldn't be read. */
  let waitsSince: number | undefined
  let why = 'the broker does not answer'

  /** Sends and forgets one batch; tells how many events it held, and whether more are waiting. */
  async function sendBatch(limit: number): Promise<{ count: number; characters: number; more: boolean }> {
    const rows = await share.take(limit)
    const batch = upTo(BATCH_CHARACTERS, rows)
    if (batch.length === 0) return { count: 0, characters: 0, more: false }
    waitsSince ??= clock.monotonic()
    try {
      await publish(batch)
    } catch (fault) {
      // it is the broker's fault that the log is to tell of
      await share.giveBack().catch(() => {})
      throw fault
    }
    await share.sent(batch)
    const characters = batch.reduce((sum, { event }) => sum + event.length, 0)
    return { count: batch.length, characters, more: batch.length === limit || batch.length < rows.length }
  }

  /** An event whose id the broker knows with another content is never taken: it mustn't hold up the others. */
  async function publish(batch: readonly WaitingEvent[]): Promise<void> {
    try {
      await broker.publish(batch.map((row) => row.event))
    } catch (fault) {
      if (!(fault instanceof AppError) || fault.code !== 'CONFLICT') throw fault
      const [only, second] = batch
      if (only && !second) log.error(`An event is dropped: ${fault.message}`, { message_id: only.id })
      else for (const row of batch) await publish([row])
    }
  }

  async function run(): Promise<void> {
    const retries = createRetries({ ...BROKER_BACK_OFF, what: 'Events wait in the outbox', log, signal })
    let limit = BATCH_EVENTS
    while (!signal.aborted) {
      try {
        const { count, characters, more } = await sendBatch(limit)
        retries.succeeded()
        waitsSince = undefined
        if (count > 0) {
          limit = Math.max(1, Math.min(BATCH_EVENTS, Math.ceil((BATCH_CHARACTERS * count) / characters)))
          if (!more) await pause(linger(count), signal)
        } else await bell.sleep(POLL_MS, signal)
      } catch (fault) {
        waitsSince ??= clock.monotonic()
        why = messageOf(fault)
        await retries.failed(fault)
      }
    }
    deafen()
  }

  return {
    async check() {
      const ms = waitsSince === undefined ? 0 : clock.monotonic() - waitsSince
      if (ms < DRAINS_WITHIN_MS) return
      throw new AppError('UNAVAILABLE', `Events wait in the outbox for ${Math.round(ms / 1_000)} s now: ${why}`)
    },
    stopped: run(),
  }
}

function upTo(characters: number, rows: readonly WaitingEvent[]): readonly WaitingEvent[] {
  let total = 0
  const end = rows.findIndex(({ event }, index) => {
    total += event.length
    return index > 0 && total > characters
  })
  return end < 0 ? rows : rows.slice(0, end)
}
