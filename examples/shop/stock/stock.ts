import { AppError, defineService, type Migration, type OutboxTable, outboxTables, route } from 'msvc'
import * as z from 'zod'

interface Tables extends OutboxTable {
  stock: { product_id: number; left: number }
}

const FULL = 1_000

const stock: Migration = {
  async up(db) {
    await db.schema
      .createTable('stock')
      .addColumn('product_id', 'integer', (column) => column.primaryKey())
      .addColumn('left', 'integer', (column) => column.notNull())
      .execute()
  },
}

// what is left of each product, and an event when one runs out: both on disk, or neither
await defineService({
  name: 'stock',
  async start({ app, store: open, messaging, log }) {
    const store = await open<Tables>({ '2026-01-01-stock': stock, '2026-01-02-outbox': outboxTables })
    const outbox = messaging.outbox(store)
    const params = z.object({ id: z.coerce.number().int() })
    app.post('/stock/:id/take', route({ summary: 'Take one', scope: 'public', params }), async (c) => {
      const { id } = c.req.valid('param')
      const left = await store.transaction(async (trx) => {
        const row = await trx.selectFrom('stock').select('left').where('product_id', '=', id).executeTakeFirst()
        const now = (row?.left ?? FULL) - 1
        if (now < 0) throw new AppError('CONFLICT', 'Sold out')
        await trx
          .insertInto('stock')
          .values({ product_id: id, left: now })
          .onConflict((conflict) => conflict.column('product_id').doUpdateSet({ left: now }))
          .execute()
        if (now === 0) await outbox.add(trx, { type: 'stock.empty', key: `product-${id}`, data: { product_id: id } })
        return now
      })
      log.info('took one', { product_id: id, left })
      return c.json({ left })
    })
  },
}).run()
