import fc from 'fast-check'
import { expect, it } from 'vitest'
import { hasRoom } from './hand-out.ts'
import { entryBytes, type JournalEntry, readEntry } from './journal-entry.ts'
import { LeaseBook } from './lease-book.ts'

const ACK_WAIT_MS = 1_000

function clock() {
  const time = { at: 0 }
  return { time, monotonic: () => time.at, now: () => 1e12 + time.at }
}

type Step = readonly [what: 'admit' | 'lease' | 'done' | 'delay' | 'die', which: number]

/** What may be handed out, what is out and how often it was, by what is in the book. */
function view(book: LeaseBook, seqs: number) {
  const ready = [...book.ready()].map(({ seq }) => seq).sort((a, b) => a - b)
  const counts = Array.from({ length: seqs }, (_, n) => {
    const state = book.get(n + 1)?.state
    return state && [state.at, state.deliveries, state.attempt, state.spared]
  })
  return { ready, counts, waiting: book.waiting, size: book.size, cursor: book.cursor, settled: book.settledUpTo }
}

it('is the same when it is read back from its journal, wherever that begins to say all', () => {
  const step: fc.Arbitrary<Step> = fc.tuple(
    fc.constantFrom('admit', 'admit', 'lease', 'lease', 'done', 'delay', 'die' as const),
    fc.nat(20),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.boolean(), fc.boolean()), { maxLength: 80 }), (steps) => {
      const times = clock()
      const book = new LeaseBook(times, { after: 0, activeAt: 5 })
      const journal: JournalEntry[] = [{ by: 'x', whole: 0, ...book.takeChanges(true) }]
      let last = 0
      for (const [[what, which], writes, isWhole] of steps) {
        const all = Array.from({ length: last }, (_, n) => book.get(n + 1)).filter((one) => one !== undefined)
        const one = all[which % Math.max(1, all.length)]
        const [ready] = book.ready()
        if (what === 'admit') book.admit(++last, which % 4 === 0 ? undefined : `k${which % 4}`)
        else if (what === 'lease' && ready)
          book.lease(ready, { ackWaitMs: ACK_WAIT_MS, maxDeliver: 9, holder: `b c${which % 2}` })
        else if (what === 'done' && one) book.delete(one)
        else if (what === 'delay' && one)
          book.set({
            ...one,
            state: { ...one.state, at: 'delayed', until: times.monotonic() + which + 1, reason: 'later' },
          })
        else if (what === 'die' && one) {
          book.delete(one)
          book.restore(one.seq, one.state.key, one.state.attempt)
        }
        if (writes) journal.push({ by: 'x', whole: isWhole ? 0 : 1, ...book.takeChanges(isWhole) })
      }
      journal.push({ by: 'x', whole: 1, ...book.takeChanges(false) })
      const read = new LeaseBook(times, { after: 0, activeAt: 0 })
      read.load(
        journal.map((entry) => readEntry(entryBytes(entry))),
        ACK_WAIT_MS,
      )
      expect(view(read, last)).toEqual(view(book, last))
    }),
    { numRuns: 500 },
  )
})

it('forgets a dead letter that waited behind its key once it is handled, when its journal is read', () => {
  const times = clock()
  const book = new LeaseBook(times, { after: 0, activeAt: 0 })
  const journal: JournalEntry[] = []
  const write = (isWhole: boolean) => journal.push({ by: 'x', whole: isWhole ? 0 : 1, ...book.takeChanges(isWhole) })
  const handle = (seq: number) => {
    const entry = book.get(seq)
    if (entry === undefined) throw new Error(`${seq} is not out`)
    book.delete(entry)
  }
  write(true)
  book.admit(1, 'k')
  book.admit(2, 'k')
  handle(1)
  book.restore(1, 'k', 0)
  write(false)
  handle(2)
  handle(1)
  write(false)
  const read = new LeaseBook(times, { after: 0, activeAt: 0 })
  read.load(journal, ACK_WAIT_MS)
  expect(view(read, 2)).toMatchObject({ ready: [], size: 0, settled: 2 })
})

it('never names two deliveries of a message alike, though one leader after the other could not write down its last ones', () => {
  const step = fc.tuple(fc.constantFrom('lease', 'lease', 'return', 'write', 'write', 'lead' as const), fc.nat(3))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const how = { ackWaitMs: ACK_WAIT_MS, maxDeliver: 1_000, holder: 'b c' }
      const journal: JournalEntry[] = []
      const given = new Set<string>()
      const inThisTurn = new Set<number>()
      let book = new LeaseBook(clock(), { after: 0, activeAt: 0 })
      for (const seq of [1, 2, 3, 4]) book.admit(seq, undefined)
      const write = (isWhole: boolean) => {
        inThisTurn.clear()
        book.written(journal.push({ by: 'x', whole: isWhole ? 0 : 1, ...book.takeChanges(isWhole) }))
      }
      write(true)
      for (const [what, which] of steps) {
        const entry = book.get(which + 1)
        if (entry === undefined) throw new Error(`${which + 1} is gone`)
        if (what === 'write') write(false)
        else if (what === 'return') book.set({ ...entry, state: { ...entry.state, at: 'ready', reason: '' } })
        else if (what === 'lead') {
          book = new LeaseBook(clock(), { after: 0, activeAt: 0 })
          book.load(journal, ACK_WAIT_MS)
          write(true)
        } else if (entry.state.at === 'ready' && !inThisTurn.has(entry.seq)) {
          inThisTurn.add(entry.seq)
          const then = book.lease(entry, how)
          const name = `${entry.seq}-${then.at === 'dead' ? 'dead' : then.attempt}`
          expect(given).not.toContain(name)
          given.add(name)
        }
      }
    }),
    { numRuns: 500 },
  )
})

it('hands one of a key out at a time, the oldest first', () => {
  const book = new LeaseBook(clock(), { after: 0, activeAt: 0 })
  const first = book.admit(1, 'k')
  expect([book.admit(2, 'k'), book.admit(3, 'k'), book.admit(4, undefined)?.seq]).toEqual([undefined, undefined, 4])
  expect(book.waiting).toBe(2)
  if (first) book.delete(first)
  expect([...book.ready()].map(({ seq }) => seq)).toEqual([4, 2])
  expect(book.settledUpTo).toBe(1)
})

it('keeps a long state in fewer bytes', () => {
  const held = { k: Array.from({ length: 100_000 }, () => 1) }
  const entry: JournalEntry = { by: 'x', whole: 0, cursor: 1, rows: [], holders: [], done: [], held, activeAt: 0 }
  const bytes = entryBytes(entry)
  expect(bytes.length).toBeLessThan(10_000)
  expect(readEntry(bytes)).toEqual(entry)
})

it('keeps who has what, however many have something', () => {
  const times = clock()
  const book = new LeaseBook(times, { after: 0, activeAt: 0 })
  const names = Array.from({ length: 1_000 }, (_, n) => `b c${n % 700}`)
  for (const [n, holder] of names.entries()) {
    const entry = book.admit(n + 1, undefined)
    if (entry) book.lease(entry, { ackWaitMs: ACK_WAIT_MS, maxDeliver: 9, holder })
  }
  const changes = book.takeChanges(true)
  expect(changes.holders).toEqual(names.slice(0, 700))
  const read = new LeaseBook(times, { after: 0, activeAt: 0 })
  read.load([{ whole: 0, ...changes }], ACK_WAIT_MS)
  expect(read.heldBy(() => true).map(({ state }) => state.at === 'leased' && state.consumer)).toEqual(names)
})

it('has no room where as many are out as may be, or wait', () => {
  expect(hasRoom({ size: 9_999, waiting: 99_999 })).toBe(true)
  expect(hasRoom({ size: 10_000, waiting: 0 })).toBe(false)
  expect(hasRoom({ size: 1, waiting: 100_000 })).toBe(false)
})
