import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import * as z from 'zod'
import { Slice } from '../../drivers/slice.ts'
import type { ConfigPath } from './contract.ts'
import { type Document, layersOf, nameOf } from './documents.ts'
import { documentOf, jsonOf } from './kept-json.ts'

/** The config server's database: `configs` holds what is, `versions` what was and is. */
export interface ConfigTables {
  configs: {
    service: string
    environment: string
    version: number
    document: string
    changed_at: string
    made_by: string | null
  }
  versions: {
    service: string
    environment: string
    version: number
    document: string
    action: string
    keys: string
    changed_at: string
    changed_by: string
  }
}

/** The config server's tables, by migration. */
export const configMigrations: Readonly<Record<string, Migration>> = {
  '001_configs': {
    async up(db) {
      await db.schema
        .createTable('configs')
        .addColumn('service', 'text', (column) => column.notNull())
        .addColumn('environment', 'text', (column) => column.notNull())
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .addColumn('changed_at', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('configs_pk', ['service', 'environment'])
        .execute()
      await db.schema
        .createTable('versions')
        .addColumn('service', 'text', (column) => column.notNull())
        .addColumn('environment', 'text', (column) => column.notNull())
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .addColumn('action', 'text', (column) => column.notNull())
        .addColumn('keys', 'text', (column) => column.notNull())
        .addColumn('changed_at', 'text', (column) => column.notNull())
        .addColumn('changed_by', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('versions_pk', ['service', 'environment', 'version'])
        .execute()
    },
  },
  '002_made_by': {
    async up(db) {
      await db.schema.alterTable('configs').addColumn('made_by', 'text').execute()
    },
  },
}

/** A configuration as it is now. */
export interface Config extends ConfigPath {
  readonly version: number
  readonly document: Document
}

/** A change to be written. */
export interface NewVersion extends Config {
  readonly action: 'put' | 'delete' | 'rollback'
  readonly keys: readonly string[]
  /** RFC 3339. */
  readonly changedAt: string
  readonly changedBy: string
  /** Whose share it takes if it is the first; undefined: nobody's. */
  readonly madeBy: string | undefined
}

const Keys = z.array(z.string())

/** The configurations that have a say in one, the last word last; those that don't exist left out. */
export async function readLayers(db: Kysely<ConfigTables>, path: ConfigPath): Promise<readonly Config[]> {
  const layers = layersOf(path)
  const rows = await db
    .selectFrom('configs')
    .select(['service', 'environment', 'version', 'document'])
    .where('service', 'in', [...new Set(layers.map(({ service }) => service))])
    .where('environment', 'in', [...new Set(layers.map(({ environment }) => environment))])
    .execute()
  const found = new Map(rows.map((row) => [nameOf(row), { ...row, document: documentOf(row.document) }]))
  return layers.flatMap((layer) => found.get(nameOf(layer)) ?? [])
}

/** Which configurations are listed. */
export interface ConfigListPart {
  readonly limit: number
  /** Those behind this one. */
  readonly after?: ConfigPath | undefined
  /** Those of these services. */
  readonly services?: readonly string[] | undefined
}

/** Configurations with their versions, by service and environment. */
export function listConfigs(db: Kysely<ConfigTables>, { limit, after, services }: ConfigListPart) {
  let configs = db
    .selectFrom('configs')
    .select(['service', 'environment', 'version', 'changed_at'])
    .orderBy('service')
    .orderBy('environment')
    .limit(limit)
  if (services) configs = configs.where('service', 'in', services)
  if (after) {
    const { service, environment } = after
    configs = configs.where((is) => is(is.refTuple('service', 'environment'), '>', is.tuple(service, environment)))
  }
  return configs.execute()
}

/** Configurations read at once where all are wanted: some 2 ms. */
const READ_AT_ONCE = 500

/** All configurations, read in slices that let others have their turns; one that is made meanwhile may be missing. */
export async function readConfigs(db: Kysely<ConfigTables>) {
  const slice = new Slice()
  const all = await listConfigs(db, { limit: READ_AT_ONCE })
  for (let read = all.length; read === READ_AT_ONCE; ) {
    if (slice.isOver) await slice.next()
    const more = await listConfigs(db, { limit: READ_AT_ONCE, after: all.at(-1) })
    all.push(...more)
    read = more.length
  }
  return all
}

/** All configurations with their documents: those of one service at a time. */
export async function* readDocuments(
  db: Kysely<ConfigTables>,
): AsyncGenerator<readonly (ConfigPath & { readonly document: Document })[]> {
  for (const service of new Set((await readConfigs(db)).map((config) => config.service))) {
    const rows = await db
      .selectFrom('configs')
      .select(['service', 'environment', 'document'])
      .where('service', '=', service)
      .orderBy('environment')
      .execute()
    yield rows.map((row) => ({ ...row, document: documentOf(row.document) }))
  }
}

/** How many configurations there are. @param madeBy counts those that take this one's share. Default: all */
export async function countConfigs(db: Kysely<ConfigTables>, madeBy?: string): Promise<number> {
  const all = db.selectFrom('configs').select(({ fn }) => fn.countAll<number>().as('count'))
  const counted = madeBy === undefined ? all : all.where('made_by', '=', madeBy)
  const { count } = await counted.executeTakeFirstOrThrow()
  return count
}

/** One of the versions still kept; undefined when it isn't. */
export async function readVersion(
  db: Kysely<ConfigTables>,
  path: ConfigPath,
  version: number,
): Promise<Document | undefined> {
  const row = await db
    .selectFrom('versions')
    .select('document')
    .where('service', '=', path.service)
    .where('environment', '=', path.environment)
    .where('version', '=', version)
    .executeTakeFirst()
  return row && documentOf(row.document)
}

/** The last versions, newest first; each is made of its row when its turn comes. */
export async function readHistory(db: Kysely<ConfigTables>, path: ConfigPath, limit: number) {
  const rows = await db
    .selectFrom('versions')
    .select(['version', 'action', 'keys', 'changed_at', 'changed_by'])
    .where('service', '=', path.service)
    .where('environment', '=', path.environment)
    .orderBy('version', 'desc')
    .limit(limit)
    .execute()
  return rows.values().map((row) => ({ ...row, keys: Keys.parse(JSON.parse(row.keys)) }))
}

/** The keys that versions behind one have changed, each once; of those no longer kept none. */
export async function readKeysSince(
  db: Kysely<ConfigTables>,
  path: ConfigPath,
  version: number,
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('versions')
    .select('keys')
    .where('service', '=', path.service)
    .where('environment', '=', path.environment)
    .where('version', '>', version)
    .execute()
  return [...new Set(rows.flatMap(({ keys }) => Keys.parse(JSON.parse(keys))))]
}

/** Writes a new version and lets go of those older than the last `keep`. */
export async function writeVersion(trx: Kysely<ConfigTables>, next: NewVersion, keep: number): Promise<void> {
  const { service, environment, version, action, changedAt: changed_at, changedBy: changed_by } = next
  const document = jsonOf(next.document)
  await trx
    .insertInto('configs')
    .values({ service, environment, version, document, changed_at, made_by: next.madeBy ?? null })
    .onConflict((conflict) =>
      conflict.columns(['service', 'environment']).doUpdateSet({ version, document, changed_at }),
    )
    .execute()
  const keys = JSON.stringify(next.keys)
  await trx
    .insertInto('versions')
    .values({ service, environment, version, document, action, keys, changed_at, changed_by })
    .execute()
  await trx
    .deleteFrom('versions')
    .where('service', '=', service)
    .where('environment', '=', environment)
    .where('version', '<=', version - keep)
    .execute()
}
