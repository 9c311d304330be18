import { MsgHdrsImpl } from '@nats-io/transport-node'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { entryBytes, type JournalEntry } from './journal-entry.ts'
import { EntryJoiner, partHeaders, readMark } from './journal-parts.ts'
import { partsOf } from './parts.ts'

function entry(cursor: number, isWhole: boolean): JournalEntry {
  return { by: 'b', whole: isWhole ? 0 : 1, cursor, rows: [], holders: [], done: [], held: {}, activeAt: 0 }
}

/** The messages of an entry, of which so many are written. */
function messages(one: JournalEntry, room: number, written = Number.POSITIVE_INFINITY) {
  const parts = partsOf(entryBytes(one), room)
  return parts.slice(0, written).map((data, at) => {
    const headers = Object.entries(partHeaders({ by: one.by, whole: one.whole, at, of: parts.length }))
    return { data, headers: MsgHdrsImpl.fromRecord(Object.fromEntries(headers.map(([name, text]) => [name, [text]]))) }
  })
}

it('gives the entries that were written to their ends, in order, whatever lies between', () => {
  const written = fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 200 }), fc.option(fc.nat(5)))
  fc.assert(
    fc.property(fc.array(written, { maxLength: 20 }), (entries) => {
      const joiner = new EntryJoiner()
      const [found, wanted]: [unknown[], unknown[]] = [[], []]
      for (const [cursor, [isWhole, room, cut]] of entries.entries()) {
        const one = entry(cursor, isWhole)
        const all = messages(one, room)
        const some = messages(one, room, cut ?? all.length)
        if (some.length === all.length) wanted.push(one)
        for (const message of some) {
          expect(readMark(message)).toMatchObject({ by: 'b', whole: one.whole })
          found.push(joiner.next(message) ?? [])
        }
      }
      expect(found.flat()).toEqual(wanted)
    }),
  )
})

it('takes nothing from an entry whose beginning is gone', () => {
  const joiner = new EntryJoiner()
  const [, ...rest] = messages(entry(1, true), 20)
  expect(rest.map((message) => joiner.next(message))).toEqual(rest.map(() => undefined))
  expect(messages(entry(2, false), 20).flatMap((message) => joiner.next(message) ?? [])).toEqual([entry(2, false)])
})
