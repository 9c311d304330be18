import { deflateRawSync, inflateRawSync } from 'node:zlib'

/** Characters from which an entry is worth packing: a server takes 1 MiB by default, and the whole state of a busy subscription is more. */
const WORTH_PACKING = 65_536
/** What a packed entry begins with: no JSON does. */
const PACKED = 0

/** A message that was handed out, in short. What is left out at the end is 0, or absent. */
export type Row = readonly [
  seq: number,
  /** 0 ready, 1 leased, 2 delayed, 3 interrupted, 4 waits for another of its key. */
  at: 0 | 1 | 2 | 3 | 4,
  deliveries: number,
  attempt: number,
  spared?: number,
  waitedMs?: number,
  /** Of one that is delayed: not before, in milliseconds since 1970, and for how long at most. */
  notBefore?: number,
  delayMs?: number,
  /** Of one that is leased: its holder's place in the entry's list. */
  holder?: number,
  key?: string | null,
  /** 1 for one that was a dead letter and has its content kept apart. */
  restored?: 0 | 1,
]

/** What changed: rows that are put in the place of older ones, and messages that are done. */
export interface Changes {
  /** All up to this sequence was handed out, waits, or doesn't fit. */
  readonly cursor: number
  readonly rows: readonly Row[]
  readonly holders: readonly string[]
  readonly done: readonly number[]
  /** Messages that wait for another of their key: the first one's sequence, then how much further each is. */
  readonly held: Readonly<Record<string, readonly number[]>>
  /** When the subscription was last in use, milliseconds since 1970. */
  readonly activeAt: number
}

/** An entry as it is stored. */
export interface JournalEntry extends Changes {
  /** The broker that leads the subscription; '' for none. */
  readonly by: string
  /** The sequence of the last whole state; 0 where it is this one. */
  readonly whole: number
}

/** An entry as bytes, packed where it is long. */
export function entryBytes(entry: JournalEntry): Uint8Array {
  const text = Buffer.from(JSON.stringify(entry))
  return text.length < WORTH_PACKING ? text : Buffer.concat([Uint8Array.of(PACKED), deflateRawSync(text, { level: 1 })])
}

/** Reads what `entryBytes` made. */
export function readEntry(bytes: Uint8Array): JournalEntry {
  const text = bytes[0] === PACKED ? inflateRawSync(bytes.subarray(1)) : Buffer.from(bytes)
  return JSON.parse(text.toString()) as JournalEntry
}

/** Sequences in ascending order, in short. */
export function asSteps(seqs: readonly number[]): number[] {
  return seqs.map((seq, at) => seq - (seqs[at - 1] ?? 0))
}

/** Reads what `asSteps` made. */
export function fromSteps(steps: readonly number[]): number[] {
  let seq = 0
  return steps.map((step) => {
    seq += step
    return seq
  })
}
