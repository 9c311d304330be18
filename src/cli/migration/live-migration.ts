import { randomUUID } from 'node:crypto'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { systemClock } from '../../drivers/clock.ts'
import { differences, type Places } from '../../kit/config/places.ts'
import { AppError } from '../../kit/errors.ts'
import { type LiveMoveOptions, type LivePhase, moveLive } from '../../kit/migration/live-move.ts'
import { planLive } from '../../kit/migration/live-plan.ts'
import { remarksOn } from '../../kit/migration/remarks.ts'
import { withoutPassword } from '../../kit/secrets/address-text.ts'
import { controlAddress } from '../../kit/supervisor/control-address.ts'
import { connectControl } from '../../kit/supervisor/control-client.ts'
import { Done } from '../../kit/supervisor/control-protocol.ts'
import { lookAt } from '../platform/answering.ts'
import { configure, requireDataFolder } from '../session/configuration.ts'
import { shownPlaces } from '../session/moved.ts'
import { readRunState, readRunStates } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { createMessages, type Messages } from '../terminal/messages.ts'
import { createStepProgress, type Progress } from '../terminal/progress.ts'
import { type MigrateFlags, type Targets, targetsOf } from './migration-ways.ts'
import { configurationLines } from './moved-configuration.ts'
import { planLines } from './plan-lines.ts'

/**
 * Moves the platform of the data folder while it serves, or with `--dry-run` rehearses that. Throws AppError `USAGE` for what can't be moved so, `UNAVAILABLE`
 * when no platform runs there, and what `moveLive` throws.
 */
export async function migrateLive(session: Session, flags: MigrateFlags): Promise<void> {
  const { io, options } = session
  refuseFlags(flags)
  const configured = await configure(session, { runs: false })
  const { settings, roles } = configured
  const targets = targetsOf(flags, configured)
  requireDataFolder(settings.data)
  await refuseServed(settings.data)
  const progress = createStepProgress(io.err, options.quiet ?? false)
  const control = await connectControl(controlAddress(settings.data))
  try {
    const { places: from, ready } = await lookAt({ control, data: settings.data, signal: io.signal })
    const to = placesAt(targets, from)
    wantMovable(from, to, targets)
    if (!ready) throw new AppError('CONFLICT', 'not every role of the platform is ready; see msvc health')
    const services = roles.flatMap(({ service, keeps }) => (keeps ? [{ service, keeps }] : []))
    const move = { from, to, services, control, clock: systemClock, signal: io.signal }
    const messages = createMessages(progress.above, options.quiet ?? false)
    const remarks = async () =>
      from.store === to.store ? [] : remarksOn({ url: from.store, folder: from.data }, roles, settings)
    const work = { session, progress, messages, move, targets, remarks }
    await (flags.dryRun ? rehearse(work) : moveAndTell(work))
  } finally {
    progress.end()
    control.close()
  }
}

/** What a live move is made with, and told with. */
interface Work {
  readonly session: Session
  readonly progress: Progress
  readonly messages: Messages
  readonly move: Omit<LiveMoveOptions, 'newId' | 'onPhase'>
  readonly targets: Targets
  readonly remarks: () => Promise<readonly string[]>
}

/** Looks at both sides, here and from the running roles, which may know less than this process: such as PGPASSWORD. */
async function rehearse({ session, progress, messages, move, remarks: remarksOf }: Work): Promise<void> {
  progress.show('looking at both sides')
  const plan = await planLive(move)
  await move.control.ask({ do: 'prepare', to: move.to }, Done, move.signal)
  const remarks = await remarksOf()
  progress.end()
  for (const line of planLines(plan)) session.print(line)
  for (const remark of remarks) messages.warn(remark)
  messages.info('The platform answers, and its roles are ready and reach the new places. Nothing was written.')
  session.printJson({ dry_run: true, ready: true, ...plan, remarks })
}

async function moveAndTell({ session, progress, messages, move, targets, remarks: remarksOf }: Work): Promise<void> {
  const onPhase = (phase: LivePhase) => progress.show(phaseText(phase))
  const outcome = await moveLive({ ...move, newId: randomUUID, onPhase })
  const remarks = await remarksOf()
  progress.end()
  const { pausedMs, heldMs, copiedMs, attempts, rows, messages: count, differing } = outcome
  const times = { paused_ms: pausedMs, held_ms: heldMs, copied_ms: copiedMs }
  const told = `${rows} rows and ${count} messages; requests waited ${Math.round(pausedMs)} ms at most`
  for (const line of [`The platform has moved, ${told}`, ...configurationLines(targets)]) session.print(line)
  const to = shownPlaces(move.to)
  session.printJson({ ...rounded(times), attempts, rows, messages: count, differing, remarks, to })
  for (const remark of remarks) messages.warn(remark)
  if (differing.length > 0) {
    throw new AppError(
      'CONFLICT',
      `the copy differs from what it was made of (${differing.join(', ')}); the old files are where they were: keep them, and report this`,
    )
  }
  messages.success('The copy is the same, to the row and the message. The old files are where they were.')
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

/** The places of a platform once it has moved. What it is on already stays to the letter: the same URL may come with its password, or without. */
function placesAt(targets: Targets, from: Places): Places {
  const placeOf = (kind: keyof Targets) => {
    const url = targets[kind]?.url ?? from[kind]
    return withoutPassword(url) === withoutPassword(from[kind]) ? from[kind] : url
  }
  return { data: from.data, store: placeOf('store'), bus: placeOf('bus'), cache: placeOf('cache') }
}

/** A platform that runs is moved from where it is, and there is nothing to set aside. */
function refuseFlags({ fromStore, fromBus, force }: MigrateFlags): void {
  const given = { '--from-store': fromStore, '--from-bus': fromBus, '--force': force }
  const useless = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (useless.length > 0) throw new AppError('USAGE', `${useless.join(', ')} can't be said together with --live`)
}

/** Only what lies in files here can say what changes in it. */
function wantMovable(from: Places, to: Places, targets: Targets): void {
  if (differences(from, to).length === 0) {
    const there = Object.entries(targets).map(
      ([kind, { url, saidBy }]) => `${kind}: ${withoutPassword(url)} (${saidBy})`,
    )
    throw new AppError('USAGE', `the platform is there already: ${there.join(', ')}`)
  }
  for (const kind of ['store', 'bus'] as const) {
    if (from[kind] === to[kind] || (isEmbedded(from[kind]) && !isEmbedded(to[kind]))) continue
    throw new AppError(
      'USAGE',
      `--live moves the ${kind} from files to a server, not from ${shownPlaces(from)[kind]} to ${shownPlaces(to)[kind]} (${targets[kind]?.saidBy})`,
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
