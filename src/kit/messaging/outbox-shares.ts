import { type RawBuilder, sql } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import { dialectOf } from '../../drivers/store/dialect.ts'
import type { OutboxTable } from './messaging.ts'

/** An event that waits to be sent. */
export interface WaitingEvent {
  readonly id: string
  readonly event: string
}

/** What a relay may send, of an outbox that others may send from too. */
export interface OutboxShare {
  /** The first of the events that are this relay's to send, in order, at most `limit`. */
  take(limit: number): Promise<readonly WaitingEvent[]>
  /** Forgets events that were sent, and lets others have the rest. */
  sent(events: readonly WaitingEvent[]): Promise<void>
  /** Lets others have what was taken and could not be sent. */
  giveBack(): Promise<void>
}

/** Parts that events are in by their keys. More of them let more relays send at the same time. */
export const OUTBOX_PARTS = 16
/**
 * How long a part is its taker's, milliseconds by the database's clock: after that whoever took it counts as dead. One that lives on and sends what another
 * sends too does no harm, since the broker keeps one of each, in the order in which they came first.
 */
const TAKEN_MS = 3_000

const LIST_SIZES = [1, 8, 64, 512]

function deletion(events: readonly WaitingEvent[]): RawBuilder<unknown> {
  const ids = events.map(({ id }) => id)
  // filled up to one of a few lengths, so that the store keeps few statements prepared
  const size = LIST_SIZES.find((length) => length >= ids.length) ?? ids.length
  return sql`delete from outbox where id in (${sql.join(ids.concat(Array(size - ids.length).fill(ids[0])))})`
}

/**
 * A relay's share of a store's outbox.
 * @param holder who takes: a name that no other living relay has, and that the next one in its place has too
 */
export function shareOf<DB extends OutboxTable>(store: Store<DB>, holder: string): OutboxShare {
  return dialectOf(store.db).name === 'postgres' ? partsOf(store, holder) : wholeOf(store)
}

/** All there is. Two relays that send the same do no harm, and few platforms on embedded stores have two. */
function wholeOf<DB extends OutboxTable>(store: Store<DB>): OutboxShare {
  return {
    async take(limit) {
      const waiting = sql<WaitingEvent>`select id, event from outbox order by position limit ${limit}`
      return (await waiting.execute(store.db)).rows
    },
    async sent(events) {
      await store.transaction((trx) => deletion(events).execute(trx))
    },
    async giveBack() {},
  }
}

/** The parts that have events and are nobody's: all events of a key are in one, so that they are sent by one relay at a time. */
function partsOf<DB extends OutboxTable>(store: Store<DB>, holder: string): OutboxShare {
  const now = sql`(extract(epoch from clock_timestamp()) * 1000)::bigint`
  const release = sql`update outbox_parts set held_until = 0 where holder = ${holder} and held_until > 0`
  return {
    async take(limit) {
      const { rows: some } = await sql`select 1 from outbox limit 1`.execute(store.db)
      if (some.length === 0) return []
      return store.transaction(
        async (trx) => {
          const taken = await sql<{ part: number }>`
            update outbox_parts set holder = ${holder}, held_until = ${now} + ${TAKEN_MS}
            where part in (
              select part from outbox_parts
              where (held_until <= ${now} or holder = ${holder})
                and exists (select 1 from outbox where outbox.part = outbox_parts.part)
              for update skip locked)
            returning part`.execute(trx)
          if (taken.rows.length === 0) return []
          const parts = sql.join(taken.rows.map(({ part }) => sql.lit(part)))
          const waiting = sql<WaitingEvent>`
            select id, event from outbox where part in (${parts}) order by position limit ${limit}`
          return (await waiting.execute(trx)).rows
        },
        { isolation: 'loose' },
      )
    },
    async sent(events) {
      // what a crash brings back is sent again, and kept once
      await store.transaction(
        async (trx) => {
          await deletion(events).execute(trx)
          await release.execute(trx)
        },
        { isolation: 'loose' },
      )
    },
    async giveBack() {
      await store.transaction((trx) => release.execute(trx), { isolation: 'loose' })
    },
  }
}
