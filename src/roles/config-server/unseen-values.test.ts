import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { openStore } from '../../drivers/store/open.ts'
import { type ConfigTables, configMigrations, writeVersion } from './config-rows.ts'
import { unseenValues } from './unseen-values.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-unseen-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('tells of values that another environment has alone', async () => {
  const place = { url: 'sqlite:', name: 'config-server', folder, migrations: configMigrations }
  const store = await openStore<ConfigTables>(place)
  const put = (service: string, environment: string, ...keys: readonly string[]) => {
    const document = new Map(keys.map((key) => [key, { text: '1' }]))
    const change = {
      action: 'put',
      keys,
      changedAt: '2026-11-27T09:00:00Z',
      changedBy: 'ann',
      madeBy: undefined,
    } as const
    return store.transaction((trx) => writeVersion(trx, { service, environment, version: 1, document, ...change }, 10))
  }
  try {
    expect(await unseenValues(store.db, { environment: 'production' })).toEqual([])
    await put('_default', 'production', 'limit')
    await put('order-service', '_default', 'currency')
    await put('order-service', 'development', 'prices', 'currency', 'limit', 'default_price')
    await put('order-service', 'production', 'prices')
    await put('shop', 'staging', 'colour')
    await put('shop', 'development', 'colour')
    expect(await unseenValues(store.db, { environment: 'production' })).toEqual([
      "2 values of the config server in development and 1 in staging won't hold where the configuration says environment: production; say development or staging there, or copy them with msvc config get and set, --env production",
    ])
    const [line] = await unseenValues(store.db, { environment: 'development' })
    expect(line).toMatch(/^1 value of the config server in production won't hold/)
  } finally {
    await store.close()
  }
})
