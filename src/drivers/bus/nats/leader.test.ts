import { expect, it } from 'vitest'
import { systemClock } from '../../clock.ts'
import type { Letter } from './dead-letters.ts'
import { asSteps } from './journal-entry.ts'
import { Leader, type LeaderParts } from './leader.ts'
import type { SubscriptionName } from './names.ts'

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
      async add() {},
    },
    source: { begin() {}, close() {} },
    deadLetters: { attempts: async () => new Map(), async keepContent() {} },
    name: () => name,
  }
  return Leader.lead(parts as unknown as LeaderParts, name as SubscriptionName, async () => true)
}

it('puts dead letters back only as long as no more wait for their key than may', async () => {
  const letter = (offset: number) =>
    ({ offset, death: { deliveries: 5, attempt: 5, reason: '', key: 'k' } }) as unknown as Letter
  const leader = await lead(99_999)
  expect(await leader.takeBack([letter(200_000), letter(200_001)])).toMatchObject([{ offset: 200_000 }])
  leader.end()
})
