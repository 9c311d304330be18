import type { CompiledQuery } from 'kysely'

/**
 * A query that was compiled once, with the values of one call: compiling anew costs more than a short query itself.
 * @param parameters in the order in which they stand in the SQL
 * @example
 * const byId = db.selectFrom('users').selectAll().where('id', '=', 0).compile()
 * const { rows } = await db.executeQuery(bind(byId, [42]))
 */
export function bind<R>(query: CompiledQuery<R>, parameters: readonly unknown[]): CompiledQuery<R> {
  return { ...query, parameters }
}
