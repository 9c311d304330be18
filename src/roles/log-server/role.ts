import * as z from 'zod'
import type { RoleContext } from '../../kit/context.ts'
import { defineRole } from '../../kit/role.ts'
import { Entries } from './entries.ts'
import { keptLogs } from './kept-entries.ts'
import { openStorage } from './open-storage.ts'
import { Retention } from './retention.ts'
import { Searches } from './searches.ts'
import { Spans } from './spans.ts'
import { type LogTables, logMigrations } from './tables.ts'
import { Tail } from './tail.ts'

const DAY_MS = 86_400_000

const Config = z.strictObject({
  /** Days entries and traces are kept. From two days on, PostgreSQL lets entries go by whole days (UTC): some stay up to a day longer. */
  keep_days: z.number().min(0.01).max(3_650).default(7),
  /** Entries kept; the oldest go first. */
  max_entries: z.int().min(1_000).max(100_000_000).default(1_000_000),
  /** Spans kept; the traces that began first go first. */
  max_spans: z.int().min(1_000).max(100_000_000).default(200_000),
  /** Searches under way at the same time, half of them of one caller; one more is told to come again (503). */
  max_searches: z.int().min(1).max(10_000).default(128),
})

/** Every service's log entries and spans in one place (seed 9.7.8, 9.7.9): taken in batches, found by words, level and trace, followed. */
export const logServer = defineRole({
  name: 'log-server',
  service: 'log-server',
  summary: 'Takes logs and traces of all services, and searches them',
  port: 4318,
  config: Config,
  needs: [],
  agreesIn: 'store',
  keeps: keptLogs,
  async start(ctx) {
    const { clock, log, waits, config, metrics } = ctx
    const store = await ctx.store<LogTables>(logMigrations, { expendable: true })
    const storage = await openStorage(store, clock)
    ctx.defer(() => storage.entries.arrivals.close())
    const tail = new Tail(storage.entries.arrivals)
    const searches = new Searches(clock, { most: config.max_searches })
    const exporting = await beginExporting(ctx)
    const entries = new Entries(storage.entries, clock, searches, exporting && ((records) => exporting.logs(records)))
    const spans = new Spans(store, clock, searches, exporting && ((stored) => exporting.spans(stored)))

    const accepted = metrics.counter({
      name: 'log_server_accepted_total',
      help: 'Log entries and spans stored',
      labelNames: ['kind'],
    })
    metrics.gauge({
      name: 'log_server_tails',
      help: 'Readers following the log',
      collect() {
        this.set(tail.readers)
      },
    })

    metrics.gauge({
      name: 'log_server_searches',
      help: 'Searches under way',
      collect() {
        this.set(searches.underWay)
      },
    })

    const limits = { keepMs: config.keep_days * DAY_MS, maxEntries: config.max_entries, maxSpans: config.max_spans }
    const stopping = new AbortController()
    const sweeping = new Retention({ store, ...storage, clock, log, limits }).run(stopping.signal)
    ctx.defer(async () => {
      stopping.abort()
      await sweeping
    })

    const [{ logServerRoutes }, { otlpRefusal }] = await Promise.all([
      import('./routes.ts'),
      import('./otlp/routes.ts'),
    ])
    const app = logServerRoutes(
      { entries, tail, clock, log, waits, onAccepted: (count) => accepted.inc({ kind: 'log' }, count) },
      { spans, onAccepted: (count) => accepted.inc({ kind: 'span' }, count) },
    )
    return { app, refusal: otlpRefusal }
  },
})

/** Begins to send on what is stored, where `telemetry.export` says; undefined where it says nothing. */
async function beginExporting(ctx: RoleContext<unknown>) {
  const { exports: targets, clock, log, metrics, check } = ctx
  if (targets.length === 0) return undefined
  const { createExporting } = await import('./export/exporting.ts')
  const exporting = createExporting({ targets, clock, log, metrics, check })
  ctx.defer(() => exporting.close())
  return exporting
}
