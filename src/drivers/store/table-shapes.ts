import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely'
import { dialectOf } from './dialect.ts'

/** A column as its table has it. */
export interface ColumnShape {
  readonly name: string
  /** What the database calls its type, in small letters. */
  readonly type: string
  /** Whether the database fills it by itself where nothing is said. */
  readonly isGenerated: boolean
  /** Whether the database alone fills it, and takes no value for it. */
  readonly isReadOnly: boolean
}

/** A table of a store, as the database describes it. */
export interface TableShape {
  readonly name: string
  readonly columns: readonly ColumnShape[]
  /** The columns of its primary key, in order. */
  readonly key: readonly string[]
}

interface Described {
  readonly table_name: string
  readonly column_name: string
  readonly type: string
  /** From 1 on; 0 for a column outside of the key. */
  readonly key_part: number
  readonly is_generated: number | boolean
  readonly is_read_only: number | boolean
}

// what virtual tables keep their own content in is no table of anybody else's
const OF_SQLITE = sql<Described>`
  select tables.name as table_name, columns.name as column_name, lower(columns.type) as type, columns.pk as key_part,
    columns.pk > 0 and (select sql like '%autoincrement%' from sqlite_master where type = 'table' and name = tables.name) as is_generated,
    0 as is_read_only
  from pragma_table_list as tables join pragma_table_info(tables.name) as columns
  where tables.schema = 'main' and tables.type = 'table' and tables.name not like 'sqlite\\_%' escape '\\'
  order by tables.name, columns.cid`

const OF_POSTGRES = sql<Described>`
  select c.relname::text as table_name, a.attname::text as column_name, format_type(a.atttypid, null) as type,
    coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0) as key_part, a.attidentity <> '' as is_generated,
    a.attidentity = 'a' as is_read_only
  from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_index i on i.indrelid = c.oid and i.indisprimary
  where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  order by c.relname, a.attnum`

/** The tables of a store, by name. Rejects with DriverError. */
export async function tableShapes<DB>(db: Kysely<DB>): Promise<ReadonlyMap<string, TableShape>> {
  const { rows } = await (dialectOf(db).name === 'sqlite' ? OF_SQLITE : OF_POSTGRES).execute(db)
  const shapes = [...Map.groupBy(rows, (row) => row.table_name)].map(([name, columns]): [string, TableShape] => {
    const inKey = columns.filter((column) => column.key_part > 0)
    return [
      name,
      {
        name,
        columns: columns.map((one) => ({
          name: one.column_name,
          type: one.type,
          isGenerated: Boolean(one.is_generated),
          isReadOnly: Boolean(one.is_read_only),
        })),
        key: inKey.toSorted((a, b) => a.key_part - b.key_part).map((column) => column.column_name),
      },
    ]
  })
  return new Map(shapes)
}

/** The last number that a column has, or that the database gave out for it; 0 where there is none. Rejects with DriverError. */
export async function lastSerial<DB>(db: Kysely<DB>, { name, columns }: TableShape, column: string): Promise<number> {
  const shape = columns.find((one) => one.name === column)
  if (shape === undefined) return 0
  const highest = sql`select coalesce(max(${sql.ref(column)}), 0) from ${sql.table(name)}`
  const given = shape.isGenerated ? lastGiven(db, name, column) : sql`0`
  const most = sql.raw(dialectOf(db).name === 'sqlite' ? 'max' : 'greatest')
  const { rows } = await sql<{ last: number }>`select ${most}((${highest}), (${given})) as last`.execute(db)
  return rows[0]?.last ?? 0
}

function lastGiven<DB>(db: Kysely<DB>, table: string, column: string): RawBuilder<unknown> {
  if (dialectOf(db).name === 'sqlite')
    return sql`select coalesce((select seq from sqlite_sequence where name = ${table}), 0)`
  // before the first one is given out there is where it begins
  return sql`select coalesce(pg_sequence_last_value(seqrelid), seqstart - 1) from pg_sequence where seqrelid = ${sequenceOf(table, column)}`
}

/** Has the database give out numbers for a column behind one, unless it is further already. Rejects with DriverError. */
export async function raiseSerial<DB>(
  trx: Transaction<DB>,
  shape: TableShape,
  column: string,
  last: number,
): Promise<void> {
  const { name } = shape
  const next = Math.max(last, await lastSerial(trx, shape, column))
  if (next === 0) return
  if (dialectOf(trx).name === 'sqlite') {
    const updated = await sql`update sqlite_sequence set seq = ${next} where name = ${name}`.execute(trx)
    if (updated.numAffectedRows === 0n)
      await sql`insert into sqlite_sequence (name, seq) values (${name}, ${next})`.execute(trx)
    return
  }
  await sql`select setval(${sequenceOf(name, column)}, ${next})`.execute(trx)
}

function sequenceOf(table: string, column: string): RawBuilder<unknown> {
  return sql`pg_get_serial_sequence(quote_ident(${table}), ${column})::regclass`
}

/** Bytes that a store takes on its disk, about. Rejects with DriverError. */
export async function storeBytes<DB>(db: Kysely<DB>): Promise<number> {
  const ask =
    dialectOf(db).name === 'sqlite'
      ? sql<{ bytes: number }>`select page_count * page_size as bytes from pragma_page_count, pragma_page_size`
      : sql<{ bytes: number }>`select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint as bytes from pg_class
          where relnamespace = current_schema()::regnamespace and relkind = 'r'`
  return (await ask.execute(db)).rows[0]?.bytes ?? 0
}
