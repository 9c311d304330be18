import { isEmbedded } from '../drivers/by-scheme.ts'
import { systemClock } from '../drivers/clock.ts'
import { megabytes } from '../kit/backup/room.ts'
import { AppError } from '../kit/errors.ts'
import { type Migrated, type MigrationPlan, migrate, planMigration } from '../kit/migration/offline.ts'
import type { Way } from '../kit/migration/run-name.ts'
import type { Step } from '../kit/migration/store-move.ts'
import { configure } from './configuration.ts'
import { createMessages, type Messages } from './messages.ts'
import type { MigrateFlags } from './migrate.ts'
import { createStepProgress } from './progress.ts'
import type { Session } from './session.ts'

/** What a configuration says of them, where they are in the data folder. */
const HERE = { store: 'sqlite:', bus: 'embedded:' } as const
const BAR = 20

/** Moves a platform, or with `--dry-run` says what would be moved. Throws AppError `USAGE`, and what `migrate` throws. */
export async function runMigration(session: Session, flags: MigrateFlags): Promise<void> {
  const { io, options } = session
  const { settings, roles } = await configure(session, { runs: false })
  const store = wayOf(flags.fromStore, flags.store, settings.store, HERE.store)
  const bus = wayOf(flags.fromBus, flags.bus, settings.bus, HERE.bus)
  if (store === undefined && bus === undefined && flags.cache === undefined) {
    throw new AppError(
      'USAGE',
      'say what is to go where, such as --store postgres://… or --bus nats://…; see msvc migrate --help',
    )
  }
  const progress = createStepProgress(io.err, options.quiet ?? false)
  const messages = createMessages(progress.above, options.quiet ?? false)
  const wanted = {
    data: settings.data,
    store,
    bus,
    cache: flags.cache,
    roles,
    force: flags.force ?? false,
    clock: systemClock,
    signal: io.signal,
    onProgress: (step: Step) => progress.show(stepText(step)),
  }
  try {
    progress.show('looking at both sides')
    if (flags.dryRun) {
      const plan = await planMigration(wanted)
      progress.end()
      for (const line of planLines(plan)) session.print(line)
      messages.info('Nothing was written.')
      session.printJson({ dry_run: true, ...plan })
      return
    }
    const migrated = await migrate(wanted)
    progress.end()
    for (const line of doneLines(migrated, settings.data)) session.print(line)
    tellRest(messages, settings.data, migrated)
    session.printJson({ ok: true, ...migrated, configuration: configurationOf(migrated.plan) })
  } finally {
    progress.end()
  }
}

/** Undefined where nothing is to go anywhere. */
function wayOf(from: string | undefined, to: string | undefined, configured: string, here: string): Way | undefined {
  if (from === undefined && to === undefined) return undefined
  return { from: from ?? configured, to: to ?? here }
}

/** @example stepText({ what: 'copying messages', done: 5, of: 10 }) // 'copying messages ██████████░░░░░░░░░░ 50 %' */
function stepText({ what, done, of }: Step): string {
  const share = of === 0 ? 1 : Math.min(1, done / of)
  const full = Math.round(share * BAR)
  return `${what} ${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${Math.round(share * 100)} %`
}

function planLines({ store, bus, cache }: MigrationPlan): string[] {
  const services = store?.services ?? []
  return [
    ...(store ? [`store: ${store.from} -> ${store.to}`] : []),
    ...services.map(({ service, bytes, tables }) => {
      const rows = tables.map((table) => `${table.rows} ${table.name}`).join(', ')
      return `  ${service}: ${rows} (${megabytes(bytes)})`
    }),
    ...(bus
      ? [
          `bus: ${bus.from} -> ${bus.to}`,
          `  ${bus.topics} topics, ${bus.messages} messages (${megabytes(bus.bytes)}), ${bus.subscriptions} subscriptions, ${bus.deadLetters} dead letters, ${bus.delayed} that wait for their time`,
        ]
      : []),
    ...(cache ? [`cache: ${cache.to} answers; nothing is copied, leases and limits begin anew`] : []),
  ]
}

function doneLines({ plan, tables, bus }: Migrated, data: string): string[] {
  const at = (url: string) => (isEmbedded(url) ? `in ${data}` : `at ${url}`)
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  const services = new Set(tables.map(({ service }) => service)).size
  const messages = Object.values(bus?.topics ?? {}).reduce((sum, topic) => sum + topic.messages, 0)
  return [
    ...(plan.store ? [`${rows} rows of ${services} services are ${at(plan.store.to)}, the same on both sides`] : []),
    ...(plan.bus && bus
      ? [
          `${messages} messages and ${Object.keys(bus.subscriptions).length} subscriptions are ${at(plan.bus.to)}, the same on both sides`,
        ]
      : []),
    ...(plan.cache ? [`the cache at ${plan.cache.to} answers; leases and limits begin anew there`] : []),
    'Put into the configuration (passwords are left out here):',
    ...Object.entries(configurationOf(plan)).map(([name, url]) => `  ${name}: ${url}`),
  ]
}

function configurationOf({ store, bus, cache }: MigrationPlan): Readonly<Record<string, string>> {
  return {
    ...(store && { store: store.to }),
    ...(bus && { bus: bus.to }),
    ...(cache && { cache: cache.to }),
  }
}

function tellRest(messages: Messages, data: string, { plan, aside }: Migrated): void {
  const leaves = plan.store?.from === HERE.store || plan.bus?.from === HERE.bus
  if (aside !== undefined) messages.info(`What stood in the way is in ${aside}`)
  if (leaves) {
    messages.info(`${data} keeps keys/, and what was moved; on what was moved no platform starts there any more.`)
    messages.info('Other machines need a copy of keys/: with it they sign tokens and open sealed values.')
  } else if (plan.store) {
    messages.info(`Sealed values are opened by keys/config-values.key: put the platform's keys/ into ${data}.`)
  }
  if (plan.bus?.to.startsWith('nats:') || plan.bus?.to.startsWith('tls:')) {
    messages.info(
      'Cursors of readers without a group begin anew, and a message is acknowledged there before it is on disk.',
    )
  }
}
