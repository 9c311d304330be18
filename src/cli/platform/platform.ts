import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { systemClock } from '../../drivers/clock.ts'
import { HELD_FD } from '../../drivers/system/held-port.ts'
import { createBell } from '../../kit/bell.ts'
import { platformAuthority, requireKeys } from '../../kit/config/platform-authority.ts'
import type { Settings } from '../../kit/config/schema.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import { childProcesses } from '../../kit/supervisor/child-process.ts'
import { createKeptPorts, isTaken, type KeptPorts } from '../../kit/supervisor/free-port.ts'
import { type Prelaunched, prelaunch } from '../../kit/supervisor/prelaunch.ts'
import { type LaunchRole, type RolePlan, roleUnits } from '../../kit/supervisor/role-unit.ts'
import { supervise } from '../../kit/supervisor/supervise.ts'
import type { UnitChange } from '../../kit/supervisor/unit-state.ts'
import { type LikelyPlan, likelyPlan } from '../plan/likely-plan.ts'
import { parseOffset, parseOnly, parseScale, type UnitName, unitNames, type Wish } from '../plan/plan.ts'
import { createPlanner, type Planned, type Planner } from '../plan/planner.ts'
import type { OwnUnits, OwnUnitsOptions } from '../services/commands.ts'
import { createOwnUnits } from '../services/own-units.ts'
import { type Configured, configurationFile, configurationPlace } from '../session/configuration.ts'
import { movedSettings, refuseMoved } from '../session/moved.ts'
import { createStateFile, readRunState, type StateFile, stateOf } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { boundLog, LOG } from './bounded-log.ts'
import { heedSystem } from './examination.ts'
import { routedServices } from './gateway-routes.ts'
import { managerNotices, unitsInWords } from './manager-notices.ts'
import { createPlatformControl, type PlatformControl } from './platform-control.ts'
import { createPlatformScreen, type PlatformScreen } from './platform-screen.ts'
import { holdDatabases, refuseSharing } from './sole-use.ts'
import { createSteering } from './steering.ts'
import { createSuccession, ENTRANCE } from './succession.ts'
import { knownUnits, portlessUnits, unitRows, unreadyUnits } from './unit-reports.ts'
import { untilEnd } from './until-end.ts'
import { prepareWelcome } from './welcome.ts'

/** The role that users' services call others by; it isn't loaded to know its name. */
const OUTBOUND = 'outbound'

/** Flags of `msvc up` as commander gives them. */
export interface UpFlags {
  readonly scale?: readonly string[]
  readonly only?: string
  readonly portOffset?: string
  readonly inProcess?: boolean
  readonly detach?: boolean
}

/**
 * `msvc up`: starts the platform, says where everything is, and keeps it running until the signal fires. Where one runs on the data folder, that one follows
 * its changed file instead.
 */
export async function runPlatform(session: Session, flags: UpFlags): Promise<void> {
  const isFollowed = await untilFollowed(session, flags)
  // by now all that was open is closed
  if (isFollowed) session.io.become?.()
}

/** Runs the platform; true when it is to become another program. */
async function untilFollowed(session: Session, flags: UpFlags): Promise<boolean> {
  const wish = readWish(flags)
  const screen = createPlatformScreen(session, systemClock)
  // the processes boot while this one loads all roles and the configuration
  const file = configurationFile(session)
  const likely = likelyPlan(file && resolve(session.io.folder, file))
  const ahead = prelaunch(
    processes(session, screen),
    (flags.inProcess ?? likely.inProcess) ? [] : likelyUnits(wish, likely),
  )
  try {
    const portOf = createKeptPorts(session.io.pid)
    const planner = createPlanner(session, portOf)
    const planned = await planner.plan(wish)
    const { configured, roles: plans } = planned
    const { data } = configured.settings
    // a folder that can't be read is told by what makes it
    const running = await readRunState(data).catch(() => undefined)
    if (running) {
      const { upAgain } = await import('./up-again.ts')
      await upAgain(session, flags, data, running)
      return false
    }
    const stateFile = await createStateFile(data, (words) => screen.messages.warn(words))
    let release = () => {}
    const unbound = boundLog(join(data, LOG))
    try {
      const services = servicesOf(configured, plans)
      refuseMoved(configured.settings)
      await requireKeys(configured.settings, systemClock, 'msvc up')
      await heedSystem(configured.settings, { warn: (words) => screen.messages.warn(words) })
      await refuseSharing(configured.settings, services)
      release = holdDatabases(configured.settings, services)
      await endCopy(data)
      await refuseTakenPorts(session.io.holdsPort ? plans.filter(({ unit }) => unit !== ENTRANCE) : plans)
      await screen.begin(
        configured.settings.log.format,
        plans.map(({ unit }) => unit),
      )
      const inProcess = flags.inProcess ?? configured.settings.up.in_process
      const launched = inProcess ? { ...ahead, launch: await thisProcess(session, screen) } : ahead
      return await runUnits(session, screen, { planner, planned, portOf, launched, stateFile, isOneProcess: inProcess })
    } finally {
      release()
      await stateFile.remove()
      unbound()
    }
  } finally {
    screen.end()
    ahead.dismiss()
  }
}

/** Whoever copied the stores while they were used may have been killed together with the platform. */
async function endCopy(data: string): Promise<void> {
  if (!existsSync(join(data, 'noting.json'))) return
  const { stopNoting } = await import('../../kit/migration/noting.ts')
  stopNoting(data)
}

interface Setup {
  readonly planner: Planner
  readonly planned: Planned
  readonly portOf: KeptPorts
  readonly launched: Prelaunched
  readonly stateFile: StateFile
  readonly isOneProcess: boolean
}

/** Runs what was planned, until the signal fires or a role refuses to start; true when the platform is to become another program. */
async function runUnits(session: Session, screen: PlatformScreen, setup: Setup): Promise<boolean> {
  const { planner, planned, portOf, launched, stateFile } = setup
  const { io } = session
  const { settings } = planned.configured
  const authority = platformAuthority(settings, systemClock)
  const configuration = configurationPlace(session)
  const registryUrl = planned.roles[0]?.job.registryUrl ?? ''
  const control = controlOf(settings, screen)
  const roles = roleUnits(launched.launch, (job, unit) => ({
    ...control.jobNow(job),
    ...(io.holdsPort && unit === ENTRANCE && { held: true }),
  }))
  const began = new Date(systemClock.now()).toISOString()
  const services = servicesOfUser(session, screen, {
    authority,
    portOf,
    unstopped: (service) =>
      supervision
        .reports()
        .flatMap(({ unit, state }) => (unit.replicaOf === service && state.at !== 'stopped' ? [unit.name] : [])),
    restart: (unit, signal) => supervision.restart([unit], { rolling: true }, signal),
  })
  const unitsOf = async (now: Planned) => {
    const own = await services.plan(now)
    return [...roles.plan([...now.roles, ...own.roles]), ...own.units]
  }
  const state = () => {
    const units = supervision.reports().map(({ unit }) => unit)
    const states = supervision.states()
    return stateOf(io.pid, settings, {
      roles: knownUnits(units, states),
      portless: portlessUnits(units, states),
      starting: unreadyUnits(states),
      units: units.map(({ name }) => name),
      configuration,
      began,
    })
  }
  let gateway = planned.configured.sections.gateway
  const notices = managerNotices(io, (words) => screen.messages.warn(words))
  const rows = () => {
    const reports = supervision.reports()
    return unitRows(reports, routedServices(gateway, reports))
  }
  const supervision = supervise({
    units: await unitsOf(planned),
    clock: systemClock,
    admit: control.admit,
    onChange(change) {
      screen.changed(change, supervision.reports)
      services.heed(change)
      stateFile.save(state())
      notices.doing(unitsInWords(supervision.reports()))
    },
    async onLost(lost) {
      const { forgetInstance } = await import('./lost-instance.ts')
      await forgetInstance(lost, registryUrl, authority)
    },
  })
  // by now each unit has taken its own
  launched.dismiss()
  const asked = new AbortController()
  const steering = createSteering({
    supervision,
    wish: planned.wish,
    async plan(wish) {
      const now = await planner.plan(wish, control.placesNow())
      const applied = () => {
        services.applied()
        gateway = now.configured.sections.gateway
      }
      return { units: await unitsOf(now), pending: now.pending, applied }
    },
    down: () => asked.abort(),
  })
  let isFollowed = false
  const succession = createSuccession({
    session,
    isOneProcess: setup.isOneProcess,
    reports: supervision.reports,
    launched: roles.launched,
    begin() {
      isFollowed = true
      asked.abort()
    },
  })
  const open = () =>
    control.open({ supervision, rows, succession }, roles, steering).catch((fault: unknown) => {
      screen.messages.warn(`other commands can't control this platform: ${messageOf(fault)}`)
    })
  const prepare = () => prepareWelcome(session, planned, authority)
  try {
    const ending = AbortSignal.any([io.signal, asked.signal])
    await untilEnd(screen, { supervision, stateFile, state, rows, prepare, open, notices }, ending)
    return isFollowed && !io.signal.aborted
  } finally {
    await control.close()
    await services.close()
    await notices.close()
  }
}

/** The socket by which other commands reach the platform, and what the person is told of a move that they asked for. */
function controlOf(settings: Settings, { messages }: PlatformScreen): PlatformControl {
  return createPlatformControl({
    places: settings,
    onMoved: (to) =>
      messages.warn(
        `the platform lives elsewhere now; put this into its configuration before it is started again: ${movedSettings(settings, to)}`,
      ),
    onFault: (fault) =>
      messages.warn(`what a copy of the stores left in them can't be taken away: ${messageOf(fault)}`),
  })
}

/** What runs the user's services; it learns of units' changes since they are registered anew when the registry is there again. */
function servicesOfUser(
  { io }: Session,
  { messages, sinkOf }: PlatformScreen,
  wiring: Pick<OwnUnitsOptions, 'authority' | 'portOf' | 'unstopped' | 'restart'>,
): OwnUnits & { heed(change: UnitChange): void } {
  const registryBack = createBell()
  const units = createOwnUnits({
    ...wiring,
    environment: io.environment,
    onRegistryBack: registryBack.heed,
    seen: sinkOf,
    say: (words) => messages.info(words),
    warn: (words) => messages.warn(words),
  })
  return {
    ...units,
    heed({ unit, state }) {
      if (unit.replicaOf === 'registry' && state.at === 'ready') registryBack.ring()
    },
  }
}

/** The roles that probably run: those that a wish names, and where there seem to be services the one that these call others by, which much waits for. */
function likelyUnits(wish: Wish, { runsServices, without }: LikelyPlan): readonly UnitName[] {
  const units = unitNames({ ...wish, without })
  const isRole = (name: string) => units.some(({ role }) => role === name)
  if (!runsServices || isRole(OUTBOUND) || wish.only?.every(isRole)) return units
  return units.toSpliced(1, 0, { role: OUTBOUND, unit: OUTBOUND })
}

/** What the flags of `msvc up` ask for. Throws AppError `USAGE`. */
export function readWish(flags: UpFlags): Wish {
  return {
    scale: parseScale(flags.scale ?? []),
    portOffset: parseOffset(flags.portOffset ?? '0'),
    ...(flags.only !== undefined && { only: parseOnly(flags.only) }),
  }
}

function servicesOf({ roles }: Configured, plans: readonly RolePlan[]): readonly string[] {
  const planned = new Set(plans.map(({ job }) => job.role))
  return roles.filter(({ name }) => planned.has(name)).map(({ service }) => service)
}

/** Names every taken port at once, before anything is started. */
async function refuseTakenPorts(plans: readonly RolePlan[]): Promise<void> {
  const found = await Promise.all(
    plans.map(async ({ unit, job: { section } }) =>
      section.port !== 0 && (await isTaken(section.host, section.port))
        ? [
            `${unit}: port ${section.port} on ${section.host} is taken by another program; stop it, or use --port-offset`,
          ]
        : [],
    ),
  )
  const faults = found.flat()
  if (faults.length > 0) throw new AppError('START_FAILED', faults.join('\n'))
}

function processes({ io }: Session, screen: PlatformScreen): LaunchRole {
  return childProcesses({
    command: [...io.self, 'serve'],
    suffix: ['--supervised'],
    environment: { ...io.environment, ...io.ownVariables },
    stdinOf: (unit) => (io.holdsPort && unit === ENTRANCE ? HELD_FD : undefined),
    onLine: screen.take,
  })
}

async function thisProcess({ io }: Session, { sinkOf }: PlatformScreen): Promise<LaunchRole> {
  const [{ hostRunner }, { inProcess }] = await Promise.all([
    import('./host-runner.ts'),
    import('../../kit/supervisor/in-process.ts'),
  ])
  return inProcess(hostRunner(io, sinkOf), io.pid)
}
