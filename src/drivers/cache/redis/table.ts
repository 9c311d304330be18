import { DriverError } from '../../driver-error.ts'
import {
  type Changes,
  REMEMBERED_MS,
  ROWS_A_LOOK,
  type Row,
  type RowWrite,
  type RowWritten,
  type SharedTable,
} from '../table.ts'
import type { RedisConnection } from './connection.ts'
import { CHANGES, WRITE } from './table-scripts.ts'

const STATES: Readonly<Record<string, Row['is']>> = { '+': 'put', '~': 'touched', '-': 'removed' }

/** A table on a Redis. */
export class RedisTable implements SharedTable {
  readonly #connection: RedisConnection
  readonly #keys: readonly string[]

  /** @param place begins the table's keys, with the hash tag that keeps them in one slot */
  constructor(connection: RedisConnection, place: string) {
    this.#connection = connection
    this.#keys = ['rows', 'order', 'gone', 'meta'].map((part) => `${place}:${part}`)
  }

  async write(writes: readonly RowWrite[]): Promise<readonly RowWritten[]> {
    if (writes.length === 0) return []
    const args = writes.flatMap((write) => [
      write.do,
      write.key,
      write.fence ?? '',
      write.do === 'touch' ? '' : write.value,
    ])
    const answer = textsOf(await this.#connection.run(WRITE, this.#keys, [REMEMBERED_MS * 1000, ...args]))
    return inGroups(answer, 3).map(([outcome, fence, revision]) => ({
      outcome: outcome === 'done' || outcome === 'stale' ? outcome : 'unknown',
      fence: Number(fence),
      revision: Number(revision),
    }))
  }

  async changes(cursor: string): Promise<Changes> {
    const [known = '', since = ''] = cursor.split('.')
    const answer = textsOf(await this.#connection.run(CHANGES, this.#keys, [known, since || '0', ROWS_A_LOOK]))
    const [epoch, revision, more, afresh, ...rest] = answer
    const rows = inGroups(rest, 5).map(([key = '', fence, place, state = '', value = '']) => ({
      key,
      fence: Number(fence),
      revision: Number(place),
      is: STATES[state] ?? 'touched',
      value,
    }))
    return { rows, cursor: `${epoch}.${revision}`, more: more === '1', afresh: afresh === '1' }
  }
}

function textsOf(answer: unknown): readonly string[] {
  if (Array.isArray(answer)) return answer.map(String)
  throw new DriverError(
    'unavailable',
    `cache: a script was answered with ${typeof answer}; is something else between here and Redis?`,
  )
}

function inGroups(list: readonly string[], size: number): readonly (readonly string[])[] {
  return Array.from({ length: Math.floor(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size))
}
