import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openServiceStore, runOf } from '../filled-store.ts'
import { fillStore, wantFillable } from './store-filling.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-filling-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const RUN = 'a-run'
const migrations = {
  '1': { up: (db: Kysely<unknown>) => db.schema.createTable('account').addColumn('id', 'integer').execute() },
}
const place = () => ({ url: 'sqlite:', name: 'shop', folder })

describe('a store that is filled', () => {
  it('is the same run’s to go on with', async () => {
    for (let tries = 0; tries < 2; tries++) {
      const filled = await fillStore(place(), RUN, { migrations })
      expect(await runOf(filled.db)).toBe(RUN)
      await filled.close()
    }
  })

  it('is its service’s own from the moment that it opens it, though the run was ended before it could say that it is done', async () => {
    await (await fillStore(place(), RUN, { migrations })).close()
    const store = await openServiceStore<{ account: { id: number } }>({ ...place(), migrations })
    expect(await runOf(store.db)).toBeUndefined()
    await store.transaction((trx) => trx.insertInto('account').values({ id: 1 }).execute())
    await store.close()
    // what was written since is no half of a copy, which may be made anew
    await expect(wantFillable(place(), RUN, { migrations })).rejects.toThrow('holds 1 rows in account already')
  })
})
