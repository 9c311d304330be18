import { randomUUID } from 'node:crypto'
import { isEmbedded } from '../drivers/by-scheme.ts'
import { systemClock } from '../drivers/clock.ts'
import type { Places } from '../kit/config/places.ts'
import { AppError } from '../kit/errors.ts'
import { type LivePhase, moveLive } from '../kit/migration/live-move.ts'
import { controlAddress } from '../kit/supervisor/control-address.ts'
import { connectControl } from '../kit/supervisor/control-client.ts'
import { Look } from '../kit/supervisor/control-protocol.ts'
import { configure, requireDataFolder } from './configuration.ts'
import { createMessages } from './messages.ts'
import type { MigrateFlags } from './migrate.ts'
import { movedSettings, shownPlaces } from './moved.ts'
import { createStepProgress } from './progress.ts'
import { readRunState, readRunStates } from './run-state.ts'
import type { Session } from './session.ts'

/**
 * Moves the platform of the data folder while it serves. Throws AppError `USAGE` for what can't be moved so, `UNAVAILABLE` when no platform runs there, and what
 * `moveLive` throws.
 */
export async function migrateLive(session: Session, flags: MigrateFlags): Promise<void> {
  const { io, options } = session
  refuseFlags(flags)
  const { settings, roles } = await configure(session, { runs: false })
  requireDataFolder(settings.data)
  await refuseServed(settings.data)
  const progress = createStepProgress(io.err, options.quiet ?? false)
  const messages = createMessages(progress.above, options.quiet ?? false)
  const control = await connectControl(controlAddress(settings.data))
  try {
    const { places: from, ready } = await control.ask({ do: 'look' }, Look, io.signal)
    const to = { ...from, ...placesIn(flags) }
    wantMovable(from, to)
    if (!ready) throw new AppError('CONFLICT', 'not every role of the platform is ready; see msvc health')
    const outcome = await moveLive({
      from,
      to,
      services: roles.flatMap(({ service, keeps }) => (keeps ? [{ service, keeps }] : [])),
      control,
      clock: systemClock,
      signal: io.signal,
      newId: randomUUID,
      onPhase: (phase) => progress.show(phaseText(phase)),
    })
    progress.end()
    const { pausedMs, heldMs, copiedMs, attempts, rows, messages: count, differing } = outcome
    const times = { paused_ms: pausedMs, held_ms: heldMs, copied_ms: copiedMs }
    const put = movedSettings(from, to)
    session.print(
      `The platform has moved, ${rows} rows and ${count} messages; requests waited ${Math.round(pausedMs)} ms at most.\nPut into its configuration before it is started again: ${put}`,
    )
    session.printJson({ ...rounded(times), attempts, rows, messages: count, differing, to: shownPlaces(to) })
    if (differing.length > 0) {
      throw new AppError(
        'CONFLICT',
        `the copy differs from what it was made of (${differing.join(', ')}); the old files are where they were: keep them, and report this`,
      )
    }
    messages.success('The copy is the same, to the row and the message. The old files are where they were.')
  } finally {
    progress.end()
    control.close()
  }
}

/** Roles that are served alone have no ear: they would go on with the old places. */
async function refuseServed(data: string): Promise<void> {
  const states = await readRunStates(data)
  const up = await readRunState(data)
  if (!up) throw new AppError('UNAVAILABLE', `no msvc up runs on ${data}: --live moves one that does`)
  const served = states.filter(({ pid }) => pid !== up.pid).flatMap(({ roles }) => roles.map(({ unit }) => unit))
  if (served.length === 0) return
  throw new AppError(
    'USAGE',
    `${served.join(', ')} is served beside msvc up, and can't be moved with it: stop it first`,
  )
}

function placesIn({ store, bus, cache }: MigrateFlags): Partial<Places> {
  return {
    ...(store !== undefined && { store }),
    ...(bus !== undefined && { bus }),
    ...(cache !== undefined && { cache }),
  }
}

/** A platform that runs is moved from where it is, and there is nothing to set aside. */
function refuseFlags({ fromStore, fromBus, dryRun, force }: MigrateFlags): void {
  const given = { '--from-store': fromStore, '--from-bus': fromBus, '--dry-run': dryRun, '--force': force }
  const useless = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (useless.length > 0) throw new AppError('USAGE', `${useless.join(', ')} can't be said together with --live`)
}

/** Only what lies in files here can say what changes in it. */
function wantMovable(from: Places, to: Places): void {
  if (from.store === to.store && from.bus === to.bus && from.cache === to.cache) {
    throw new AppError(
      'USAGE',
      'the platform is there already: name where it is to move with --store, --bus or --cache',
    )
  }
  for (const kind of ['store', 'bus'] as const) {
    if (from[kind] === to[kind] || (isEmbedded(from[kind]) && !isEmbedded(to[kind]))) continue
    throw new AppError(
      'USAGE',
      `--live moves the ${kind} from files to a server, not from ${shownPlaces(from)[kind]} to ${shownPlaces(to)[kind]}`,
    )
  }
}

function rounded(times: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, Math.round(ms)]))
}

function phaseText(phase: LivePhase): string {
  switch (phase.at) {
    case 'copying':
      return `copying: ${phase.rows} rows, ${phase.messages} messages`
    case 'catching-up':
      return `catching up: ${phase.changes} changes in ${Math.round(phase.ms)} ms`
    case 'switching':
      return 'switching over: requests wait'
    case 'comparing':
      return `moved, requests waited ${Math.round(phase.pausedMs)} ms; comparing`
  }
}
