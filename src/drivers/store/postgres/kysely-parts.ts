import {
  AlterTableNode,
  type ColumnDefinitionNode,
  CreateTableNode,
  DataTypeNode,
  type KyselyPlugin,
  OperationNodeTransformer,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryId,
  sql,
} from 'kysely'
import type { KyselyParts } from '../kysely-face.ts'

/** The store takes a lock of its own around all of its migrations. */
class UnlockedAdapter extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}

  override async releaseMigrationLock(): Promise<void> {}
}

/** PostgreSQL's own collation, which compares by bytes as SQLite does: no upgrade of the system's language tables can turn an index around. */
const BY_BYTES = sql`collate "C"`.toOperationNode()

/**
 * Lets the types of the migrations mean what they mean to SQLite: an `integer` has 64 bits, and text is compared by its bytes.
 */
class SameTypes extends OperationNodeTransformer {
  protected override transformColumnDefinition(given: ColumnDefinitionNode, queryId?: QueryId): ColumnDefinitionNode {
    const node = super.transformColumnDefinition(given, queryId)
    if (!DataTypeNode.is(node.dataType)) return node
    const type = node.dataType.dataType
    if (type === 'integer') return { ...node, dataType: DataTypeNode.create('bigint') }
    if (!/^(?:text|varchar)/.test(type)) return node
    return { ...node, frontModifiers: [BY_BYTES, ...(node.frontModifiers ?? [])] }
  }
}

const transformer = new SameTypes()

const sameTypes: KyselyPlugin = {
  transformQuery: ({ node, queryId }) =>
    CreateTableNode.is(node) || AlterTableNode.is(node) ? transformer.transformNode(node, queryId) : node,
  transformResult: async ({ result }) => result,
}

/** How Kysely speaks with PostgreSQL. */
export const POSTGRES_PARTS: KyselyParts = {
  adapter: new UnlockedAdapter(),
  compiler: new PostgresQueryCompiler(),
  introspector: (db) => new PostgresIntrospector(db),
  plugins: [sameTypes],
}
