import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { systemClock } from '../../drivers/clock.ts'
import { type Migrated, migrate, planMigration } from '../../kit/migration/offline.ts'
import { remarksOn } from '../../kit/migration/remarks.ts'
import type { Step } from '../../kit/migration/store-move.ts'
import { configure } from '../session/configuration.ts'
import type { Session } from '../session/session.ts'
import { createMessages, type Messages } from '../terminal/messages.ts'
import { createStepProgress } from '../terminal/progress.ts'
import { type MigrateFlags, type Targets, waysOf } from './migration-ways.ts'
import { configurationLines, movedConfiguration } from './moved-configuration.ts'
import { planLines } from './plan-lines.ts'

/** What a configuration says of them, where they are in the data folder. */
const HERE = { store: 'sqlite:', bus: 'embedded:' } as const
const SEALING_KEY = 'keys/config-values.key'
const BAR = 20

/** Moves a platform, or with `--dry-run` says what would be moved. Throws AppError `USAGE`, and what `migrate` throws. */
export async function runMigration(session: Session, flags: MigrateFlags): Promise<void> {
  const { io, options } = session
  const configured = await configure(session, { runs: false })
  const { settings, roles } = configured
  const { targets, ...ways } = waysOf(flags, configured)
  const progress = createStepProgress(io.err, options.quiet ?? false)
  const messages = createMessages(progress.above, options.quiet ?? false)
  const wanted = {
    data: settings.data,
    ...ways,
    roles,
    force: flags.force ?? false,
    clock: systemClock,
    signal: io.signal,
    onProgress: (step: Step) => progress.show(stepText(step)),
  }
  const remarksOnSource = async () =>
    ways.store ? remarksOn({ url: ways.store.from, folder: settings.data }, roles, settings) : []
  try {
    progress.show('looking at both sides')
    if (flags.dryRun) {
      const plan = await planMigration(wanted)
      const remarks = await remarksOnSource()
      progress.end()
      for (const line of planLines(plan)) session.print(line)
      for (const remark of remarks) messages.warn(remark)
      messages.info('Nothing was written.')
      session.printJson({ dry_run: true, ...plan, remarks })
      return
    }
    const migrated = await migrate(wanted)
    const remarks = await remarksOnSource()
    progress.end()
    for (const line of doneLines(migrated, targets, settings.data)) session.print(line)
    for (const remark of remarks) messages.warn(remark)
    tellRest(messages, settings.data, migrated)
    session.printJson({ ok: true, ...migrated, remarks, configuration: movedConfiguration(targets) })
  } finally {
    progress.end()
  }
}

/** @example stepText({ what: 'copying messages', done: 5, of: 10 }) // 'copying messages ██████████░░░░░░░░░░ 50 %' */
function stepText({ what, done, of }: Step): string {
  const share = of === 0 ? 1 : Math.min(1, done / of)
  const full = Math.round(share * BAR)
  return `${what} ${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${Math.round(share * 100)} %`
}

function doneLines({ plan, tables, bus }: Migrated, targets: Targets, data: string): string[] {
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
    ...configurationLines(targets),
  ]
}

function tellRest(messages: Messages, data: string, { plan, aside }: Migrated): void {
  const leaves = plan.store?.from === HERE.store || plan.bus?.from === HERE.bus
  if (aside !== undefined) messages.info(`What stood in the way is in ${aside}`)
  if (leaves) {
    messages.info(`${data} keeps keys/, and what was moved; on what was moved no platform starts there any more.`)
    messages.info('Other machines need a copy of keys/: with it they sign tokens and open sealed values.')
  } else if (plan.store) {
    messages.info(
      existsSync(join(data, SEALING_KEY))
        ? `Sealed values are opened by ${SEALING_KEY} in ${data}: keep it.`
        : `Sealed values are opened by ${SEALING_KEY}: put the platform's keys/ into ${data}, by cp -a.`,
    )
  }
  if (plan.bus?.to.startsWith('nats:') || plan.bus?.to.startsWith('tls:')) {
    messages.info(
      'Readers without a group begin at first or at new there, and a message is acknowledged before it is on disk.',
    )
  }
}
