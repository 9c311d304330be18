import { atTime, type Dead, interrupted, leaseAgain, type Unsettled, untouched } from '../lease-rules.ts'
import { asSteps, type Changes, fromSteps, type Row } from './journal-entry.ts'
import { KeyLines } from './key-lines.ts'

/** When a death that could not be written down is tried again, in milliseconds. */
const RETRY_MS = 1_000

/** A message that was handed out, or may be, and is neither acknowledged nor dead. */
export interface Entry {
  readonly seq: number
  /** It was a dead letter: its content is kept apart. */
  readonly restored: boolean
  readonly state: Unsettled
}

/** A dead letter that is back, while it waits for another of its key. */
interface Back {
  readonly key: string
  readonly attempt: number
}

/** The clocks, in milliseconds. */
export interface Times {
  readonly monotonic: () => number
  /** Since 1970. */
  readonly now: () => number
}

/** What a subscription has handed out, in memory; what changes is noted for its journal. */
export class LeaseBook {
  readonly #times: Times
  readonly #entries = new Map<number, Entry>()
  /** Those that may be handed out now, the one that became ready first in front. */
  readonly #ready = new Set<number>()
  #lines = new KeyLines()
  readonly #back = new Map<number, Back>()
  #changed = new Set<number>()
  #held = new Map<string, number[]>()
  #hasChanged = false
  #cursor: number
  #activeAt: number
  /** The place of the last entry in the journal. */
  #lastEntry = 0
  /** When `sweep` next has something to do, monotonic; never later than that, sometimes earlier. */
  sweepAt = Number.POSITIVE_INFINITY

  /** @param after the sequence behind which the subscription began @param activeAt when it was last in use, since 1970 */
  constructor(times: Times, { after, activeAt }: { after: number; activeAt: number }) {
    this.#times = times
    this.#cursor = after
    this.#activeAt = activeAt
  }

  /** All up to this sequence was handed out, waits, or doesn't fit. */
  get cursor(): number {
    return this.#cursor
  }

  /** When the subscription was last in use, as far as it is written down. */
  get activeAt(): number {
    return this.#activeAt
  }

  /** How many are out, or may be. */
  get size(): number {
    return this.#entries.size
  }

  /** How many wait for another of their key. */
  get waiting(): number {
    return this.#lines.waiting
  }

  /** Whether something changed since `takeChanges`. */
  get hasChanged(): boolean {
    return this.#hasChanged
  }

  /** The lowest sequence that isn't settled, or the cursor. */
  get settledUpTo(): number {
    let lowest = Math.min(this.#cursor + 1, this.#lines.lowest())
    for (const seq of this.#entries.keys()) if (seq < lowest) lowest = seq
    return lowest - 1
  }

  get(seq: number): Entry | undefined {
    return this.#entries.get(seq)
  }

  /** Whether a message is out, or waits after it was a dead letter. */
  has(seq: number): boolean {
    return this.#entries.has(seq) || this.#back.has(seq)
  }

  /** How many are on lease; counts them. */
  leased(): number {
    let count = 0
    for (const { state } of this.#entries.values()) if (state.at === 'leased') count++
    return count
  }

  /** Those on lease to whoever `isHolder` says. */
  heldBy(isHolder: (holder: string) => boolean): Entry[] {
    return [...this.#entries.values()].filter(({ state }) => state.at === 'leased' && isHolder(state.consumer ?? ''))
  }

  /** Those that may be handed out again, in order; they may be changed meanwhile. */
  *ready(): Generator<Entry> {
    for (const seq of this.#ready) {
      const entry = this.#entries.get(seq)
      if (entry !== undefined) yield entry
    }
  }

  /** Takes a new message in, the next of the stream. Gives it where it may be handed out, and doesn't wait for another of its key. */
  admit(seq: number, key: string | undefined): Entry | undefined {
    this.#cursor = seq
    this.#hasChanged = true
    if (key === undefined || this.#lines.join(key, seq)) return this.#enter(seq, { key, attempt: 0 }, false)
    const held = this.#held.get(key)
    if (held) held.push(seq)
    else this.#held.set(key, [seq])
    return undefined
  }

  /** Takes a dead letter back in with a fresh count, to be handed out when its key is free. */
  restore(seq: number, key: string | undefined, attempt: number): void {
    this.#hasChanged = true
    if (key === undefined || this.#lines.join(key, seq)) {
      this.#enter(seq, { key, attempt }, true)
      return
    }
    this.#back.set(seq, { key, attempt })
    this.#changed.add(seq)
  }

  /** What was taken to be written down is, at this place in the journal: each entry's is higher than the one's before. */
  written(place: number): void {
    this.#lastEntry = place
  }

  /**
   * Hands one out, if it hasn't had its deliveries. The delivery is named by the last entry's place: none that another leader made, and could not write down,
   * has that name. Whoever gives such a one back must not take the message from who has it now.
   */
  lease(entry: Entry, how: { ackWaitMs: number; maxDeliver: number; holder: string }): Unsettled | Dead {
    const { ackWaitMs, maxDeliver, holder } = how
    const then = leaseAgain(entry.state, { now: this.#times.monotonic(), ackWaitMs, maxDeliver, consumer: holder })
    if (then.at === 'dead') return then
    const leased = { ...then, attempt: this.#lastEntry }
    this.set({ ...entry, state: leased })
    return leased
  }

  /** Puts a message into another state. */
  set(entry: Entry): void {
    this.#hasChanged = true
    this.#changed.add(entry.seq)
    this.#place(entry)
  }

  /** Forgets one that is acknowledged or dead; the next of its key may be handed out now. */
  delete({ seq, state: { key } }: Entry): void {
    if (!this.#entries.delete(seq)) return
    this.#hasChanged = true
    this.#changed.add(seq)
    this.#ready.delete(seq)
    const next = key === undefined ? undefined : this.#lines.leave(key)
    if (next === undefined) return
    const back = this.#back.get(next)
    this.#back.delete(next)
    this.#enter(next, { key, attempt: back?.attempt ?? 0 }, back !== undefined)
  }

  /** The subscription was in use: to be written down with what is next. */
  note(activeAt: number): void {
    this.#activeAt = activeAt
    this.#hasChanged = true
  }

  /** Does what time does: makes ready whose lease or delay is over. Returns those that have had their last delivery, with why. */
  sweep(maxDeliver: number): { readonly entry: Entry; readonly reason: string }[] {
    const now = this.#times.monotonic()
    const dying: { entry: Entry; reason: string }[] = []
    if (now < this.sweepAt) return dying
    this.sweepAt = Number.POSITIVE_INFINITY
    for (const entry of this.#entries.values()) {
      const then = atTime(entry.state, now, maxDeliver)
      if (then.at === 'dead') {
        dying.push({ entry, reason: then.reason })
        this.sweepAt = Math.min(this.sweepAt, now + RETRY_MS)
        // nobody needs to know on disk: whoever reads of a lease that old finds it over, too
      } else if (then !== entry.state || then.at === 'leased' || then.at === 'delayed') {
        this.#place({ ...entry, state: then })
      }
    }
    return dying
  }

  /** The consumers of brokers that are gone: what they had may be handed out at once, while their tokens are good. */
  interrupt(isGone: (holder: string) => boolean): void {
    for (const entry of this.heldBy(isGone)) this.set({ ...entry, state: interrupted(entry.state) })
  }

  /** What changed since it was asked last, or all. */
  takeChanges(isWhole: boolean): Changes {
    const holders = new Map<string, number>()
    const rows: Row[] = []
    const done: number[] = []
    const seqs = isWhole ? [...this.#entries.keys(), ...this.#back.keys()] : this.#changed
    for (const seq of seqs) {
      const entry = this.#entries.get(seq)
      const back = this.#back.get(seq)
      if (entry !== undefined) rows.push(this.#row(entry, holders))
      else if (back !== undefined) rows.push([seq, 4, 0, back.attempt, 0, 0, 0, 0, 0, back.key, 1])
      else done.push(seq)
    }
    const held: Record<string, number[]> = {}
    for (const [key, waiting] of isWhole ? this.#lines.all() : this.#held) held[key] = asSteps(waiting)
    this.#changed = new Set()
    this.#held = new Map()
    this.#hasChanged = false
    return { cursor: this.#cursor, rows, holders: [...holders.keys()], done, held, activeAt: this.#activeAt }
  }

  /**
   * Takes in what a journal's entries say, the first of which says all.
   * @param ackWaitMs how long the leases last that are in it, from now on
   */
  load(entries: readonly (Changes & { readonly whole: number })[], ackWaitMs: number): void {
    const held = new Map<number, string>()
    for (const changes of entries) {
      if (changes.whole === 0) {
        this.#entries.clear()
        this.#back.clear()
        held.clear()
      }
      this.#cursor = changes.cursor
      this.#activeAt = changes.activeAt
      for (const [key, steps] of Object.entries(changes.held)) for (const seq of fromSteps(steps)) held.set(seq, key)
      for (const row of changes.rows) {
        held.delete(row[0])
        this.#loadRow(row, changes.holders, ackWaitMs)
      }
      for (const seq of changes.done) {
        held.delete(seq)
        this.#entries.delete(seq)
        this.#back.delete(seq)
      }
    }
    this.#begin(held)
  }

  #loadRow(row: Row, holders: readonly string[], ackWaitMs: number): void {
    const [seq, at, , attempt, , , , , , key, restored = 0] = row
    this.#back.delete(seq)
    this.#entries.delete(seq)
    if (at === 4) this.#back.set(seq, { key: key ?? '', attempt })
    else this.#entries.set(seq, { seq, restored: restored === 1, state: this.#state(row, holders, ackWaitMs) })
  }

  /** All is loaded: finds out who waits for whom. */
  #begin(held: ReadonlyMap<number, string>): void {
    this.#lines = new KeyLines()
    for (const entry of this.#entries.values()) {
      const { key } = entry.state
      if (key !== undefined) this.#lines.join(key, entry.seq)
      this.#place(entry)
    }
    const waiting = [...held].map(([seq, key]) => [seq, { key, attempt: 0 }] as const)
    for (const [seq, one] of [...waiting, ...this.#back]) {
      if (!this.#lines.join(one.key, seq)) continue
      this.#enter(seq, one, this.#back.delete(seq))
    }
  }

  #enter(seq: number, { key, attempt }: { key: string | undefined; attempt: number }, restored: boolean): Entry {
    const entry = { seq, restored, state: untouched({ topic: 0, offset: seq, position: seq, key, attempt }, '') }
    this.#changed.add(seq)
    this.#place(entry)
    return entry
  }

  #place(entry: Entry): void {
    const { seq, state } = entry
    this.#entries.set(seq, entry)
    if (state.at === 'ready' || state.at === 'interrupted') {
      this.#ready.add(seq)
      return
    }
    this.#ready.delete(seq)
    this.sweepAt = Math.min(this.sweepAt, state.until)
  }

  #row({ seq, restored, state }: Entry, holders: Map<string, number>): Row {
    const { deliveries, attempt, spared, waitedMs, key } = state
    const at = state.at === 'leased' ? 1 : state.at === 'delayed' ? 2 : state.at === 'interrupted' ? 3 : 0
    const left = state.at === 'delayed' ? Math.max(0, state.until - this.#times.monotonic()) : 0
    const notBefore = state.at === 'delayed' ? Math.ceil(this.#times.now() + left) : 0
    const holder = state.at === 'leased' ? placeIn(holders, state.consumer ?? '') : 0
    const isPlain = !restored && key === undefined
    if (isPlain && holder === 0 && notBefore === 0 && waitedMs === 0 && spared === 0)
      return [seq, at, deliveries, attempt]
    const row = [seq, at, deliveries, attempt, spared, waitedMs, notBefore, Math.ceil(left), holder] as const
    return isPlain ? row : [...row, key ?? null, restored ? 1 : 0]
  }

  #state(row: Row, holders: readonly string[], ackWaitMs: number): Unsettled {
    const [seq, at, deliveries, attempt, spared = 0, waitedMs = 0, notBefore = 0, delayMs = 0, holder = 0, key] = row
    const place = { topic: 0, offset: seq, position: seq, ...(typeof key === 'string' && { key }) }
    const counts = { ...place, deliveries, spared, waitedMs, attempt }
    const now = this.#times.monotonic()
    if (at === 1) return { ...counts, at: 'leased', until: now + ackWaitMs, consumer: holders[holder] }
    if (at === 3) return { ...counts, at: 'interrupted' }
    // a wall clock that was set back must not stretch the delay
    const left = at === 2 ? Math.min(notBefore - this.#times.now(), delayMs) : 0
    const reason = 'given back'
    return left > 0 ? { ...counts, at: 'delayed', until: now + left, reason } : { ...counts, at: 'ready', reason }
  }
}

function placeIn(holders: Map<string, number>, holder: string): number {
  const at = holders.get(holder) ?? holders.size
  holders.set(holder, at)
  return at
}
