import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { dialectOf } from '../../../drivers/store/dialect.ts'
import { openStore } from '../../../drivers/store/open.ts'
import { testWaits } from '../../../kit/http/testing/waits.ts'
import { errors } from '../../../kit/middleware/errors.ts'
import { silentLog } from '../../../kit/telemetry/testing/recorded-log.ts'
import { Entries } from '../entries.ts'
import { openStorage } from '../open-storage.ts'
import { otlpRefusal } from '../otlp/routes.ts'
import { logServerRoutes } from '../routes.ts'
import { Searches } from '../searches.ts'
import { Spans } from '../spans.ts'
import { type LogTables, logMigrations } from '../tables.ts'
import { Tail } from '../tail.ts'
import type { TestPlace } from './stores.ts'

/** What the clock of a test's log server always says. */
export const NOW = Date.parse('2026-11-22T12:00:00Z')

/** A trace id, W3C's own example. */
export const TRACE = '0af7651916cd43dd8448eb211c80319c'

const clock = { now: () => NOW, monotonic: () => performance.now() }

/**
 * The log server's routes over a store of their own, for one test.
 * @param place default: embedded, in a temporary folder
 * @param fill puts something into the store before the log server opens it, in the folder that it is given
 */
export async function openLogServer(
  place: TestPlace = { url: 'sqlite:', name: 'log-server' },
  fill?: (folder: string) => Promise<void>,
) {
  const folder = await mkdtemp(join(tmpdir(), 'log-server-'))
  await fill?.(folder)
  const store = await openStore<LogTables>({ ...place, folder, migrations: logMigrations })
  const stop = new AbortController()
  const storage = await openStorage(store, clock)
  const tail = new Tail(storage.entries.arrivals)
  // longer than a busy machine takes for any, so that a page ends early only where that is tested
  const searches = new Searches(clock, { patienceMs: 60_000 })
  const entries = new Entries(storage.entries, clock, searches)
  const app = logServerRoutes(
    { entries, tail, clock, log: { error: () => {} }, waits: testWaits(stop.signal), onAccepted: () => {} },
    { spans: new Spans(store, clock, searches), onAccepted: () => {} },
  )
  errors(app, silentLog, otlpRefusal)

  return {
    app,
    store,
    storage,
    entries,
    tail,
    clock,
    stop: () => stop.abort(),
    /** Posts JSON, or a text as it is. */
    async post(path: string, body: unknown, headers: Record<string, string> = {}) {
      return app.request(path, {
        method: 'POST',
        headers,
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
    },
    /** Gets JSON; anything but a 200 throws. */
    async get(path: string, query: Readonly<Record<string, string | number>> = {}): Promise<unknown> {
      const pairs = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])
      const answer = await app.request(`${path}?${new URLSearchParams(pairs)}`)
      if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
      return answer.json()
    },
    /** Takes away all that it was told, for the next test: on PostgreSQL that costs a twentieth of opening another one. */
    async empty() {
      await store.transaction(async (trx) => {
        if (dialectOf(trx).name === 'postgres') await sql`truncate log_entries, spans, traces`.execute(trx)
        else for (const table of ['log_entries', 'spans', 'traces'] as const) await trx.deleteFrom(table).execute()
      })
    },
    async close() {
      stop.abort()
      await storage.entries.arrivals.close()
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}
