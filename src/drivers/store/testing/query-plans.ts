import { type KyselyPlugin, QueryNode, SelectQueryNode, sql } from 'kysely'
import type { Store } from '../contract.ts'

/** A store whose `db` runs no query, and finds nothing: it notes how SQLite would go about each that is put together for it. */
export function queryPlans<DB>(store: Store<DB>): { readonly store: Store<DB>; readonly plans: string[] } {
  const plans: string[] = []
  const explain: KyselyPlugin = {
    transformQuery: ({ node }) =>
      SelectQueryNode.is(node) ? QueryNode.cloneWithExplain(node, undefined, sql`query plan`) : node,
    async transformResult({ result }) {
      plans.push(...result.rows.map(({ detail }) => String(detail)))
      return { rows: [] }
    },
  }
  const { longReads } = store
  return {
    plans,
    store: {
      db: store.db.withPlugin(explain),
      longReads,
      unsound: store.unsound,
      transaction: (work) => store.transaction(work),
      afterCommit: (trx, callback) => store.afterCommit(trx, callback),
      ring: (bell) => store.ring(bell),
      onRing: (bell, callback) => store.onRing(bell, callback),
      check: (signal) => store.check(signal),
      checkWrites: () => store.checkWrites(),
      close: () => store.close(),
    },
  }
}
