import type { Clock } from '../clock.ts'
import {
  type Changes,
  REMEMBERED_MS,
  ROWS_A_LOOK,
  type Row,
  type RowWrite,
  type RowWritten,
  type SharedTable,
} from './table.ts'

/** A row, the revision of its value, and since when it is removed (monotonic milliseconds). */
interface Held {
  readonly row: Omit<Row, 'is'>
  readonly valueRevision: number
  readonly removedAt: number | undefined
}

/** A table within one process. */
export class MemoryTable implements SharedTable {
  readonly #clock: Clock
  /** In the order of their revisions. */
  readonly #rows = new Map<string, Held>()
  /** Tells this table from another one of the name. */
  readonly #epoch = crypto.randomUUID()
  #revision = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async write(writes: readonly RowWrite[]): Promise<readonly RowWritten[]> {
    this.#forgetRemoved()
    return writes.map((write) => this.#writeOne(write))
  }

  async changes(cursor: string): Promise<Changes> {
    const [epoch = '', revision] = cursor.split(' ')
    const afresh = epoch !== this.#epoch
    const since = afresh ? 0 : Number(revision)
    const news = [...this.#rows.values()].filter(({ row }) => row.revision > since)
    const given = news.slice(0, ROWS_A_LOOK)
    return {
      rows: given.map((held) => asSeen(held, since)),
      cursor: `${this.#epoch} ${given.at(-1)?.row.revision ?? this.#revision}`,
      more: news.length > given.length,
      afresh,
    }
  }

  #writeOne(write: RowWrite): RowWritten {
    const { key } = write
    const held = this.#rows.get(key)
    const known = held?.row.fence ?? 0
    const fence = write.fence ?? Math.max(known + 1, Math.floor(this.#clock.now()))
    if (fence < known) return { outcome: 'stale', fence: known, revision: 0 }
    const revision = this.#revision + 1
    if (write.do === 'touch') {
      if (!held || held.removedAt !== undefined || fence > known)
        return { outcome: 'unknown', fence: known, revision: 0 }
      this.#put({ ...held, row: { ...held.row, revision } })
    } else {
      const removedAt = write.do === 'remove' ? this.#clock.monotonic() : undefined
      this.#put({ row: { key, fence, revision, value: write.value }, valueRevision: revision, removedAt })
    }
    return { outcome: 'done', fence, revision }
  }

  #put(held: Held): void {
    this.#revision = held.row.revision
    this.#rows.delete(held.row.key)
    this.#rows.set(held.row.key, held)
  }

  #forgetRemoved(): void {
    const long = this.#clock.monotonic() - REMEMBERED_MS
    for (const [key, { removedAt }] of this.#rows)
      if (removedAt !== undefined && removedAt < long) this.#rows.delete(key)
  }
}

function asSeen({ row, valueRevision, removedAt }: Held, since: number): Row {
  if (removedAt !== undefined) return { ...row, is: 'removed' }
  return valueRevision > since ? { ...row, is: 'put' } : { ...row, is: 'touched', value: '' }
}
