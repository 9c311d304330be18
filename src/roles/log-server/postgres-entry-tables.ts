import { type Kysely, sql } from 'kysely'

/**
 * Makes the tables. The entries of each day lie in a partition of their own (postgres-entry-days.ts), with a full-text index of its own; those of days that
 * have none lie in `log_entries_rest`. What came when stands in `log_arrivals`, a row for each batch.
 */
export async function createPostgresEntries(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table log_entries (
      id bigint primary key,
      at bigint not null,
      level smallint not null,
      service text collate "C" not null,
      instance text collate "C" not null,
      message text collate "C" not null,
      trace_id text collate "C",
      span_id text collate "C",
      metadata text collate "C",
      words tsvector not null
    ) partition by range (id)`.execute(db)
  await sql`create index log_entries_by_trace on log_entries (trace_id, id) where trace_id is not null`.execute(db)
  // What isn't sorted into the index yet is read through by every search: a quarter of the default costs the intake little, and searches 2 ms a day less.
  await sql`
    create index log_entries_by_word on log_entries using gin (words) with (gin_pending_list_limit = 1024)`.execute(db)
  await sql`create table log_entries_rest partition of log_entries default`.execute(db)
  await sql`
    create table log_arrivals (
      first bigint primary key,
      ids text not null,
      came_at timestamptz not null default now()
    )`.execute(db)
  await sql`create table log_place (run text not null, next bigint not null)`.execute(db)
  await sql`insert into log_place values (substr(md5(random()::text || clock_timestamp()::text), 1, 8), 0)`.execute(db)
  await sql`create table log_keeper (name text not null, term bigint not null, until timestamptz not null)`.execute(db)
  await sql`insert into log_keeper values ('', 0, '-infinity')`.execute(db)
}
