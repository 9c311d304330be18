import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../drivers/clock.ts'
import type { Authority } from '../kit/auth/authority.ts'
import { createAuthority } from '../kit/auth/local-authority.ts'
import { createBell } from '../kit/bell.ts'
import { AppError, messageOf } from '../kit/errors.ts'
import { aborted } from '../kit/pause.ts'
import { childProcesses } from '../kit/supervisor/child-process.ts'
import { createKeptPorts, isTaken, type KeptPorts } from '../kit/supervisor/free-port.ts'
import { prelaunch } from '../kit/supervisor/prelaunch.ts'
import { type LaunchRole, type RolePlan, roleUnits } from '../kit/supervisor/role-unit.ts'
import { supervise } from '../kit/supervisor/supervise.ts'
import type { LogSink } from '../kit/telemetry/log.ts'
import { GATEWAY_SERVICE } from '../roles/gateway/contract.ts'
import type { Configured } from './configuration.ts'
import type { Terminal } from './io.ts'
import { createUnitOutput, logOutput, type UnitOutput } from './log-output.ts'
import { createMessages, type Messages } from './messages.ts'
import { movedSettings, refuseMoved } from './moved.ts'
import { parseOffset, parseOnly, parseScale, unitNames, type Wish } from './plan.ts'
import { createPlanner, type Planned, type Planner } from './planner.ts'
import { createPlatformControl } from './platform-control.ts'
import { createProgress, type Progress } from './progress.ts'
import { createStateFile, type RunState, type StateFile, stateOf } from './run-state.ts'
import { createOwnUnits } from './services/own-units.ts'
import type { Session } from './session.ts'
import { holdDatabases, refuseSharing } from './sole-use.ts'
import { createSteering } from './steering.ts'
import { knownUnits, showProgress, tellChange, unreadyUnits } from './unit-reports.ts'

/** Flags of `msvc up` as commander gives them. */
export interface UpFlags {
  readonly scale?: readonly string[]
  readonly only?: string
  readonly portOffset?: string
  readonly inProcess?: boolean
}

/** Who the first request is made as, and what the token for it may do. */
const SUBJECT = 'ann'
const SCOPES = ['users:read', 'users:write', 'orders:read', 'orders:write']

/** `msvc up`: starts the platform, says where everything is, and keeps it running until the signal fires. */
export async function runPlatform(session: Session, flags: UpFlags): Promise<void> {
  const { io, options } = session
  const wish = readWish(flags)
  const quiet = options.quiet ?? false
  const progress = createProgress(quiet ? { ...io.err, isTTY: false } : io.err)
  const above = { options, io: { err: progress.above } }
  const output = createUnitOutput(above)
  // the processes boot while this one loads all roles and the configuration
  const ahead = flags.inProcess ? undefined : prelaunch(processes(session, output), unitNames(wish))
  try {
    const portOf = createKeptPorts(io.pid)
    const planner = createPlanner(session, portOf)
    const planned = await planner.plan(wish)
    const { configured, roles: plans } = planned
    const messages = createMessages(progress.above, quiet)
    const stateFile = await createStateFile(configured.settings.data, (words) => messages.warn(words))
    let release = () => {}
    try {
      const services = servicesOf(configured, plans)
      refuseMoved(configured.settings)
      await refuseSharing(configured.settings, services)
      release = holdDatabases(configured.settings, services)
      await endCopy(configured.settings.data)
      await refuseTakenPorts(plans)
      const sink = await logOutput(above, configured.settings.log.format)
      output.begin(sink)
      const launch = ahead?.launch ?? (await thisProcess(session, progress.above, configured))
      await runUnits(session, messages, progress, { planner, planned, portOf, launch, stateFile, sink })
    } finally {
      release()
      await stateFile.remove()
    }
  } finally {
    progress.end()
    ahead?.dismiss()
  }
}

/** Whoever copied the stores while they were used may have been killed together with the platform. */
async function endCopy(data: string): Promise<void> {
  if (!existsSync(join(data, 'noting.json'))) return
  const { stopNoting } = await import('../kit/migration/noting.ts')
  stopNoting(data)
}

interface Setup {
  readonly planner: Planner
  readonly planned: Planned
  readonly portOf: KeptPorts
  readonly launch: LaunchRole
  readonly stateFile: StateFile
  /** Where entries go that people see. */
  readonly sink: LogSink
}

/** Runs what was planned, until the signal fires or a role refuses to start. */
async function runUnits(session: Session, messages: Messages, progress: Progress, setup: Setup): Promise<void> {
  const { planner, planned, portOf, launch, stateFile, sink } = setup
  const { io } = session
  const { settings } = planned.configured
  const authority = createAuthority({ ...settings.auth, folder: `${settings.data}/keys`, clock: systemClock })
  const registryUrl = planned.roles[0]?.job.registryUrl ?? ''
  const state = () => {
    const units = supervision.reports().map(({ unit }) => unit)
    const states = supervision.states()
    return stateOf(io.pid, settings, { roles: knownUnits(units, states), starting: unreadyUnits(states) })
  }
  const control = createPlatformControl({
    places: settings,
    onMoved: (to) =>
      messages.warn(
        `the platform lives elsewhere now; put this into its configuration before it is started again: ${movedSettings(settings, to)}`,
      ),
    onFault: (fault) =>
      messages.warn(`what a copy of the stores left in them can't be taken away: ${messageOf(fault)}`),
  })
  const roles = roleUnits(launch, control.jobNow)
  const registryBack = createBell()
  const services = createOwnUnits({
    authority,
    environment: io.environment,
    portOf,
    onRegistryBack: registryBack.heed,
    seen: () => sink,
    say: (words) => messages.info(words),
    warn: (words) => messages.warn(words),
    async restart(service) {
      await steering.steer({ do: 'restart', units: [service], rolling: true })
    },
  })
  const unitsOf = async (now: Planned) => {
    const own = await services.plan(now)
    return [...roles.plan([...now.roles, ...own.roles]), ...own.units]
  }
  const supervision = supervise({
    units: await unitsOf(planned),
    clock: systemClock,
    admit: control.admit,
    onChange(change) {
      tellChange(change, messages)
      if (change.unit.replicaOf === 'registry' && change.state.at === 'ready') registryBack.ring()
      showProgress(supervision.states(), ending.aborted, progress)
      stateFile.save(state())
    },
    async onLost(lost) {
      const { forgetInstance } = await import('./lost-instance.ts')
      await forgetInstance(lost, registryUrl, authority)
    },
  })
  const asked = new AbortController()
  const ending = AbortSignal.any([io.signal, asked.signal])
  const steering = createSteering({
    supervision,
    wish: planned.wish,
    plan: async (wish) => unitsOf(await planner.plan(wish)),
    down: () => asked.abort(),
  })
  const stop = () => {
    showProgress(supervision.states(), true, progress)
    void supervision.stop()
  }
  ending.addEventListener('abort', stop, { once: true })
  try {
    // other commands shall not look for it elsewhere while it starts
    stateFile.save(state())
    if (ending.aborted) stop()
    const welcome = prepareWelcome(session, planned.roles, authority)
    welcome.catch(() => {})
    await control.open(supervision, roles, steering).catch((fault: unknown) => {
      messages.warn(`other commands can't control this platform: ${messageOf(fault)}`)
    })
    await supervision.ready.finally(progress.end)
    await stateFile.written()
    const say = await welcome
    say(state())
    await aborted(ending)
  } catch (fault) {
    if (!ending.aborted) throw fault
  } finally {
    await supervision.stop()
    await control.close()
    await services.close()
  }
}

function readWish(flags: UpFlags): Wish {
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

function processes({ io }: Session, output: UnitOutput): LaunchRole {
  return childProcesses({
    command: [...io.self, 'serve'],
    suffix: ['--supervised'],
    environment: io.environment,
    onLine: output.take,
  })
}

async function thisProcess({ io, options }: Session, err: Terminal, { settings }: Configured): Promise<LaunchRole> {
  const [{ hostRunner }, { inProcess }] = await Promise.all([
    import('./host-runner.ts'),
    import('../kit/supervisor/in-process.ts'),
  ])
  return inProcess(await hostRunner({ options, io: { err, settled: io.settled } }, settings.log.format), io.pid)
}

/** Makes ready, while the roles start, what says where everything is and how to begin. */
async function prepareWelcome(
  session: Session,
  plans: readonly RolePlan[],
  authority: Authority,
): Promise<(state: RunState) => void> {
  const { io, options } = session
  const gateway = plans.find(({ job }) => job.role === 'gateway')?.job
  // what isn't a terminal is kept: by a log, a pipeline, somebody else's screen
  const isSeen = gateway !== undefined && io.out.isTTY
  const [{ readyText }, { firstRequest }] = await Promise.all([import('./ready-text.ts'), import('./first-request.ts')])
  const requestTo = (url: string) => gateway && firstRequest(gateway.section, gateway.settings, url)
  const wanted = requestTo('http://127.0.0.1:0')?.scopes ?? []
  const scopes = [...new Set([...SCOPES, ...wanted])]
  const token = isSeen ? await authority.mint({ subject: SUBJECT, audience: GATEWAY_SERVICE, scopes }) : undefined
  return (state) => {
    session.printJson({ ready: true, ...state, ...(token !== undefined && { token }) })
    const shown = token ?? (gateway ? tokenCommand(scopes, options.data) : undefined)
    const seed = String(io.pid)
    const place = state.roles.find(({ role }) => role === 'gateway')
    const request = place && requestTo(place.url)
    const text = { state, seed, ...(shown !== undefined && { token: shown }), ...(request && { request }) }
    if (!options.quiet) session.print(readyText(text))
  }
}

/** How a shell gets the token that isn't printed. */
function tokenCommand(scopes: readonly string[], data: string | undefined): string {
  const folder = data === undefined ? '' : ` --data '${data.replaceAll("'", `'\\''`)}'`
  return `$(msvc token --subject ${SUBJECT} --scope ${scopes.join(',')}${folder})`
}
