import type { Transaction } from './group-commit.ts'
import type { HeldRow, HeldRows } from './held-rows.ts'

/** A key of which a message is handed out and not settled. */
interface BusyKey {
  /** Such messages: one, but for those that an older version handed out side by side. */
  readonly out: number
  /** Messages of the key that wait behind, on disk. */
  readonly held: number
}

/**
 * Hands a subscription's messages of one key out one after the other: what comes while one of them is out waits on disk, so that the cursor can go on to
 * other keys. In memory there is an entry for each key that has a message out, however many wait behind it.
 */
export class KeyOrder {
  readonly #rows: HeldRows
  readonly #subscription: number
  readonly #busy = new Map<string, BusyKey>()
  #heldCount = 0

  /** @param subscription key of its rows */
  constructor(rows: HeldRows, subscription: number) {
    this.#rows = rows
    this.#subscription = subscription
  }

  /** How many messages wait for others of their keys. */
  get heldCount(): number {
    return this.#heldCount
  }

  /**
   * Reads from disk what waits. Call it once.
   * @param out the messages that are handed out
   */
  load(out: Iterable<{ readonly key?: string | undefined }>): void {
    for (const { key } of out) {
      if (key !== undefined) this.#set(key, { out: (this.#busy.get(key)?.out ?? 0) + 1, held: 0 })
    }
    for (const { key, count } of this.#rows.counts(this.#subscription)) {
      this.#set(key, { out: this.#busy.get(key)?.out ?? 0, held: count })
    }
  }

  /** Whether a message of a key is out: others of it must wait. */
  isBusy(key: string): boolean {
    return this.#busy.has(key)
  }

  /** A message of a key that isn't busy goes out. */
  begin(tx: Transaction, key: string): void {
    this.#change(tx, key, { out: 1, held: 0 })
  }

  /** Messages of busy keys come, to wait. */
  hold(tx: Transaction, rows: readonly HeldRow[]): void {
    if (rows.length === 0) return
    for (const { key } of rows) {
      const { out = 0, held = 0 } = this.#busy.get(key) ?? {}
      this.#change(tx, key, { out, held: held + 1 })
    }
    this.#rows.insert(this.#subscription, rows)
  }

  /** A message of a key that was out is done. Gives the one that goes out in its place. */
  end(tx: Transaction, key: string): HeldRow | undefined {
    const { out = 0, held = 0 } = this.#busy.get(key) ?? {}
    const next = out <= 1 && held > 0 ? this.#rows.take(this.#subscription, key) : undefined
    if (next !== undefined) this.#change(tx, key, { out: 1, held: held - 1 })
    else this.#change(tx, key, out > 1 ? { out: out - 1, held } : undefined)
    return next
  }

  /** The lowest offset of a topic that waits, or Infinity. */
  lowestOffset(topic: number): number {
    return this.#heldCount === 0 ? Number.POSITIVE_INFINITY : this.#rows.lowestOffset(this.#subscription, topic)
  }

  #change(tx: Transaction, key: string, busy: BusyKey | undefined): void {
    const before = this.#busy.get(key)
    tx.undo(() => this.#set(key, before))
    this.#set(key, busy)
  }

  #set(key: string, busy: BusyKey | undefined): void {
    this.#heldCount += (busy?.held ?? 0) - (this.#busy.get(key)?.held ?? 0)
    if (busy === undefined) this.#busy.delete(key)
    else this.#busy.set(key, busy)
  }
}
