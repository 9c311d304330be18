import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/drivers/clock.ts'
import { openStore } from '../../src/drivers/store/open.ts'
import { migrate } from '../../src/kit/migration/offline.ts'
import { loadRole } from '../../src/roles/catalog.ts'
import { type LogTables, logMigrations } from '../../src/roles/log-server/tables.ts'
import { startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-copied-logs-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(!isHere('postgres'))('logs that move to PostgreSQL and back', () => {
  it('are the same, characters that PostgreSQL takes not included, and are found there', async () => {
    await using server = await startPostgres({ config: UNSYNCED })
    const [here, back] = [join(folder, 'here'), join(folder, 'back')]
    const open = (data: string) =>
      openStore<LogTables>({ url: 'sqlite:', name: 'log-server', folder: data, migrations: logMigrations })
    const now = systemClock.now()
    const entry = { at: now, level: 1, service: 'shop\0', instance: 'i\x10', trace_id: 't\0', span_id: null }
    const span = {
      parent_span_id: null,
      service: 's',
      kind: 'server',
      started_at: now + 0.1,
      duration_ms: 0.3,
      failed: 0,
    }
    const details = JSON.stringify({ flags: 1, scope: { name: 'till \0\x10' } })
    const before = await open(here)
    await before.transaction(async (trx) => {
      for (let at = 0; at < 50; at++) {
        const id = (now - at * 86_400_000) * 2_048 + at
        await trx
          .insertInto('log_entries')
          .values({ ...entry, id, message: `found ${at} \0\x10`, metadata: '{"a":"\\n"}', details })
          .execute()
        await trx
          .insertInto('spans')
          .values({ ...span, trace_id: `t${at}\0`, span_id: '\x10', operation: '\0', tags: '{}', details })
          .execute()
        await trx
          .insertInto('traces')
          .values({ trace_id: `t${at}\0`, started_at: now, ended_at: now, failed: 0 })
          .execute()
      }
    })
    const all = async (store: typeof before) => [
      await store.db.selectFrom('log_entries').selectAll().orderBy('id').execute(),
      await store.db.selectFrom('spans').selectAll().orderBy('trace_id').execute(),
      await store.db.selectFrom('traces').selectAll().orderBy('trace_id').execute(),
    ]
    const expected = await all(before)
    await before.close()
    const role = await loadRole('log-server')
    const common = {
      roles: role ? [role] : [],
      force: false,
      clock: systemClock,
      signal: new AbortController().signal,
      onProgress: () => {},
    }
    await migrate({ ...common, data: here, store: { from: 'sqlite:', to: server.url } })
    await migrate({ ...common, data: back, store: { from: server.url, to: 'sqlite:' } })
    const after = await open(back)
    expect(await all(after)).toEqual(expected)
    await after.close()
  })
})
