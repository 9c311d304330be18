import { type RawBuilder, sql } from 'kysely'
import { DriverError } from '../../drivers/driver-error.ts'
import { dialectOf } from '../../drivers/store/dialect.ts'
import type { ColumnShape, TableShape } from '../../drivers/store/table-shapes.ts'
import type { Collection, KeptRow, RowKey } from '../kept-data.ts'

/** Keys of several columns that one statement compares: each is a step of an expression, of which SQLite takes 1 000. */
const MOST_KEYS = 200
/** Parameters of one statement: SQLite takes 32 766, PostgreSQL 65 535 (https://sqlite.org/limits.html). */
const MOST_PARAMETERS = 8_000

/**
 * The rows of a table that is the same in both stores, by whatever columns both have. What one has alone, or lets nobody write, the database fills there by itself.
 * Throws DriverError `invalid` where the tables don't fit.
 */
export function tableRows(from: TableShape, to: TableShape): Collection {
  const { name, key } = from
  const writable = to.columns.filter(({ isReadOnly }) => !isReadOnly)
  const shared = from.columns.filter((column) => writable.some((other) => other.name === column.name))
  const lost = from.columns.filter((column) => !shared.includes(column) && !column.isGenerated)
  if (lost.length > 0 || key.length === 0 || key.join() !== to.key.join()) {
    const what = lost.length > 0 ? `no column ${lost.map((column) => column.name).join(', ')}` : 'another key'
    throw new DriverError('invalid', `the table ${name} has ${what} in the other store: are both of one version?`)
  }
  const table = sql.table(name)
  const columns = shared.map((column) => column.name)
  const list = sql.join(columns.map((column) => sql.ref(column)))
  const keyList = sql.join(key.map((column) => sql.ref(column)))
  const isBoolean = new Set([...from.columns, ...to.columns].filter(isOfBooleans).map((column) => column.name))
  const set = columns
    .filter((column) => !key.includes(column))
    .map((column) => sql`${sql.ref(column)} = excluded.${sql.ref(column)}`)
  const onTaken = set.length === 0 ? sql`nothing` : sql`update set ${sql.join(set)}`
  return {
    name,
    key,
    async count(db) {
      const { rows } = await sql<{ count: number }>`select count(*) as count from ${table}`.execute(db)
      return rows[0]?.count ?? 0
    },
    async read(db, { after, limit }) {
      const behind = after === undefined ? sql`` : sql`where (${keyList}) > (${sql.join(after)})`
      return (await sql<KeptRow>`select ${list} from ${table} ${behind} order by ${keyList} limit ${limit}`.execute(db))
        .rows
    },
    async find(db, keys) {
      const found: KeptRow[] = []
      for (const part of parts(keys, MOST_PARAMETERS / MOST_KEYS)) {
        const { rows } = await sql<KeptRow>`select ${list} from ${table} where ${among(keyList, part)}`.execute(db)
        found.push(...rows)
      }
      return found
    },
    async write(trx, rows) {
      const toStored = dialectOf(trx).name === 'sqlite' ? asNumber : asBoolean
      for (const part of parts(rows, columns.length)) {
        const values = part.map(
          (row) =>
            sql`(${sql.join(columns.map((column) => (isBoolean.has(column) ? toStored(row[column]) : row[column])))})`,
        )
        await sql`insert into ${table} (${list}) values ${sql.join(values)} on conflict (${keyList}) do ${onTaken}`.execute(
          trx,
        )
      }
    },
    async remove(trx, keys) {
      for (const part of parts(keys, MOST_PARAMETERS / MOST_KEYS)) {
        await sql`delete from ${table} where ${among(keyList, part)}`.execute(trx)
      }
    },
    async clear(trx) {
      await sql`delete from ${table}`.execute(trx)
    },
  }
}

/** The values of a row's key. */
export function keyOf({ key }: Pick<Collection, 'key'>, row: KeptRow): RowKey {
  return key.map((column) => row[column])
}

function among(keyList: RawBuilder<unknown>, keys: readonly RowKey[]): RawBuilder<unknown> {
  return sql.join(
    keys.map((key) => sql`(${keyList}) = (${sql.join(key)})`),
    sql` or `,
  )
}

/** As many at a time as one statement takes. */
function* parts<T>(all: readonly T[], columns: number): Generator<readonly T[]> {
  const size = Math.max(1, Math.floor(MOST_PARAMETERS / columns))
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size)
}

function isOfBooleans({ type }: ColumnShape): boolean {
  return type === 'boolean'
}

function asNumber(value: unknown): unknown {
  return typeof value === 'boolean' ? Number(value) : value
}

function asBoolean(value: unknown): unknown {
  return typeof value === 'number' ? value !== 0 : value
}
