import { describe, expect, it } from 'vitest'
import type { EventStream } from '../../kit/http/event-stream.ts'
import type { EntryRow } from './entry-row.ts'
import { Searches } from './searches.ts'
import { Tail } from './tail.ts'

/** A stream of a reader who may leave. */
function reader() {
  const left = new AbortController()
  const over = Promise.withResolvers<void>()
  const events: EventStream = {
    signal: left.signal,
    over: over.promise,
    hasRoom: true,
    send: () => true,
    room: async () => !left.signal.aborted,
    cut() {
      left.abort()
      over.resolve()
    },
  }
  return events
}

describe('readers who search', () => {
  it('share the words of an entry, looked for once', async () => {
    let reads = 0
    const row: EntryRow = {
      id: 1,
      at: 0,
      level: 1,
      service: 's',
      instance: '',
      get message() {
        reads++
        return 'order created'
      },
      trace_id: null,
      span_id: null,
      metadata: null,
      details: null,
    }
    const tail = new Tail()
    let sent = 0
    const readers = Array.from({ length: 5 }, () => ({ ...reader(), send: () => ++sent > 0 }))
    const following = readers.map((events, n) => tail.follow(events, { q: n % 2 === 0 ? 'order' : 'paid' }))
    tail.publish([row])
    await expect.poll(() => sent).toBe(3)
    await new Promise(setImmediate)
    // how large it is, its words, and the event
    expect(reads).toBe(3)
    for (const { cut } of readers) cut()
    await Promise.all(following)
  })
})

describe('a reader who comes back', () => {
  it('takes its own caller’s share of the searches, and no more once it has left', async () => {
    const tail = new Tail()
    const searches = new Searches({ monotonic: () => performance.now() }, { most: 4, patienceMs: 60_000 })
    // one step goes on until ann's readers have gone, so that nobody else's has a turn before
    const busy = Promise.withResolvers<never[]>()
    const entries = {
      arrivedAt: async () => undefined,
      since: (_filter: object, _after: number, _limit: number, searcher: { name: string; signal: AbortSignal }) =>
        searches.run(searcher, async ({ step }) => (await step(() => busy.promise)) ?? []),
    }
    const anns = Array.from({ length: 3 }, reader)
    const following = anns.map((events) =>
      tail.follow(events, {}, { entries, caller: 'ann', after: { id: 1, run: '', arrival: 0 } }),
    )
    await expect(following[2]).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const bob = reader()
    const bobs = tail.follow(bob, {}, { entries, caller: 'bob', after: { id: 1, run: '', arrival: 0 } })
    expect(searches.underWay).toBe(3)
    anns[1]?.cut()
    await expect.poll(() => searches.underWay).toBe(2)
    busy.resolve([])
    await expect.poll(() => searches.underWay).toBe(0)
    for (const events of [...anns, bob]) events.cut()
    await Promise.allSettled([...following, bobs])
  })
})
