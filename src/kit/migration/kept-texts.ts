import type { Collection, KeptData, KeptRow, RowKey, TextForm } from '../kept-data.ts'

/** A collection whose texts are given as they are meant, however a store keeps them. */
export function meantTexts(collection: Collection, texts: NonNullable<KeptData['texts']>): Collection {
  const rowsAs = (rows: readonly KeptRow[], as: TextForm['kept']) =>
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, textAs(value, as)])))
  const keysAs = (keys: readonly RowKey[], as: TextForm['kept']) =>
    keys.map((key) => key.map((value) => textAs(value, as)))
  return {
    ...collection,
    async read(db, { after, limit }) {
      const { kept, given } = texts(db)
      const [place] = after === undefined ? [] : keysAs([after], kept)
      return rowsAs(await collection.read(db, { after: place, limit }), given)
    },
    async find(db, keys) {
      const { kept, given } = texts(db)
      return rowsAs(await collection.find(db, keysAs(keys, kept)), given)
    },
    write: (trx, rows) => collection.write(trx, rowsAs(rows, texts(trx).kept)),
    remove: (trx, keys) => collection.remove(trx, keysAs(keys, texts(trx).kept)),
  }
}

function textAs(value: unknown, as: TextForm['kept']): unknown {
  return typeof value === 'string' ? as(value) : value
}
