import { expect, it } from 'vitest'
import { systemClock } from '../../clock.ts'
import { asSteps, type Changes } from './journal-entry.ts'
import { Leader, type LeaderParts } from './leader.ts'
import { Moved } from './moved.ts'
import type { SubscriptionName } from './names.ts'

const letter = (offset: number) => ({ offset, death: { deliveries: 5, attempt: 5, reason: '', key: 'k' } })

/** A subscription of which one message of the key `k` is out, and so many wait for it. */
async function lead(waiting: number): Promise<Leader> {
  const held = { k: asSteps(Array.from({ length: waiting }, (_, n) => n + 2)) }
  const state = { by: '', whole: 0, cursor: waiting + 1, rows: [[1, 0, 0, 0, 0, 0, 0, 0, 0, 'k']], held }
  const name: Partial<SubscriptionName> = { id: 's', key: 1, topic: 'a', maxDeliver: 5, ackWaitMs: 1_000 }
  const parts = {
    clock: systemClock,
    me: 'b',
    journal: {
      wantsWhole: false,
      read: async () => [{ ...state, holders: [], done: [], activeAt: 0 }],
      add: async () => 1,
    },
    source: { begin() {}, close() {} },
    deadLetters: {
      attempts: async () => new Map(),
      letter: async (seq: number) => letter(seq),
      async keepContent() {},
    },
    name: () => name,
  }
  return Leader.lead(parts as unknown as LeaderParts, name as SubscriptionName, async () => true)
}

it('puts dead letters back only as long as no more wait for their key than may', async () => {
  const leader = await lead(99_999)
  expect(await leader.takeBack([200_000, 200_001])).toEqual([200_000])
  leader.end()
})

/** A journal in memory, as several brokers have it before them. */
function sharedJournal() {
  const entries: (Changes & { readonly by: string; readonly whole: number })[] = []
  return {
    entries,
    of() {
      let last = 0
      return {
        wantsWhole: false,
        async read() {
          last = entries.length
          return entries.slice(entries.findLastIndex(({ whole }) => whole === 0))
        },
        async add(by: string, changes: Changes, isWhole: boolean) {
          if (entries.length !== last) throw new Moved()
          last = entries.push({ by, whole: isWhole ? 0 : 1, ...structuredClone(changes) })
          return last
        },
      }
    },
  }
}

/** Brokers on one journal, in whose stream there is one message. */
function brokers() {
  const journal = sharedJournal()
  const name = { id: 's', key: 1, topic: 'a', maxDeliver: 5, ackWaitMs: 60_000, after: 0, madeAt: 0 }
  const message = { offset: 1, topic: 'a', payload: '1', attributes: {}, timestamp: 0, id: 'one' }
  return {
    journal,
    async lead(me: string, isHere: (broker: string) => boolean) {
      const unsure: string[] = []
      let place = 0
      const parts = {
        clock: systemClock,
        random: Math.random,
        me,
        journal: journal.of(),
        source: {
          begin(after: number) {
            place = after
          },
          next: async () => (place++ === 0 ? message : undefined),
          mayHaveMore() {},
          close() {},
        },
        deadLetters: { attempts: async () => new Map(), content: async () => message },
        name: () => name,
        idle() {},
        died() {},
        lost() {},
        unsure: (tokens: readonly string[]) => unsure.push(...tokens),
      }
      const leader = await Leader.lead(
        parts as unknown as LeaderParts,
        name as unknown as SubscriptionName,
        async (one) => isHere(one),
      )
      const pull = (waitMs: number) =>
        leader.pull({ max: 1, waitMs, holder: `${me} c`, signal: new AbortController().signal })
      return { leader, unsure, pull }
    },
  }
}

it('takes a message from nobody when another broker gives back what it could not write down', async () => {
  const { lead } = brokers()
  const slow = await lead('b1', () => true)
  // takes it for dead
  const other = await lead('b2', (broker) => broker === 'b2')
  await expect(slow.pull(10)).rejects.toBeInstanceOf(Moved)
  expect(slow.unsure).toHaveLength(1)
  const [delivery] = await other.pull(10)
  expect(delivery).toMatchObject({ offset: 1, delivery: 1 })
  expect(await other.leader.nack(slow.unsure, { delayMs: 0, reason: 'lost', unseen: true })).toBe(0)
  expect(await other.pull(0)).toEqual([])
  expect(await other.leader.ack([delivery?.ack ?? ''])).toBe(1)
  other.leader.end()
})

it('leaves a subscription to the broker that took it over meanwhile and is there', async () => {
  const { lead, journal } = brokers()
  const first = await lead('b1', () => true)
  await expect(lead('b2', () => true)).rejects.toBeInstanceOf(Moved)
  expect(journal.entries.map(({ by }) => by)).toEqual(['b1'])
  first.leader.end()
})

it('leaves its own consumers what they have when it leads anew', async () => {
  const { lead } = brokers()
  const before = await lead('b1', () => true)
  const [delivery] = await before.pull(10)
  before.leader.end(new Error('a write failed'))
  const anew = await lead('b1', () => true)
  expect(await anew.pull(0)).toEqual([])
  expect(await anew.leader.ack([delivery?.ack ?? ''])).toBe(1)
  anew.leader.end()
})
