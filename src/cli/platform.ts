import { systemClock } from '../drivers/clock.ts'
import type { Authority } from '../kit/auth/authority.ts'
import { createAuthority } from '../kit/auth/local-authority.ts'
import { AppError } from '../kit/errors.ts'
import { childProcesses } from '../kit/supervisor/child-process.ts'
import { freePort } from '../kit/supervisor/free-port.ts'
import type { Launch } from '../kit/supervisor/member.ts'
import { supervise } from '../kit/supervisor/supervise.ts'
import { ROLE_NAMES } from '../roles/catalog.ts'
import { type Configured, configure } from './configuration.ts'
import { logOutput, unitOutput } from './log-output.ts'
import { createMessages } from './messages.ts'
import { chosenRoles, parseOffset, parseOnly, parseScale, planUnits } from './plan.ts'
import { createProgress } from './progress.ts'
import { createStateFile, type RunState, readRunState } from './run-state.ts'
import type { Session } from './session.ts'
import { runStateOf, tellChange } from './unit-reports.ts'
import type { UpFlags } from './up.ts'

const GATEWAY = 'api-gateway'

/** What the token that `msvc up` prints may do. */
const SCOPES = ['users:read', 'users:write', 'orders:read', 'orders:write', 'payments:read']

/** `msvc up`: starts the platform, says where everything is, and keeps it running until the signal fires. */
export async function runPlatform(session: Session, flags: UpFlags): Promise<void> {
  const only = flags.only === undefined ? undefined : parseOnly(flags.only, ROLE_NAMES)
  const scale = parseScale(flags.scale ?? [], ROLE_NAMES)
  const portOffset = parseOffset(flags.portOffset ?? '0')
  const configured = await prepare(session, only)
  const plans = planUnits(configured, { scale, portOffset, ...(only && { only }) })
  const { data } = configured.settings
  await refuseSecond(session, data)

  const progress = createProgress(session.options.quiet ? { ...session.io.err, isTTY: false } : session.io.err)
  const above: Session = { ...session, io: { ...session.io, err: progress.above } }
  const messages = createMessages(progress.above, session.options.quiet ?? false)
  const stateFile = createStateFile(data)
  const authority = createAuthority({ ...configured.settings.auth, folder: `${data}/keys`, clock: systemClock })
  const supervision = supervise({
    plans,
    launch: await launcher(above, configured, flags),
    clock: systemClock,
    onChange(change) {
      tellChange(change, supervision.states(), messages, progress)
      stateFile.save(runStateOf(session.io.pid, supervision.states()))
    },
    async onLost(lost) {
      const { forgetInstance } = await import('./lost-instance.ts')
      await forgetInstance(lost, plans[0]?.job.registryUrl ?? '', authority)
    },
  })
  const stop = () => void supervision.stop()
  session.io.signal.addEventListener('abort', stop, { once: true })
  try {
    if (session.io.signal.aborted) stop()
    await supervision.ready.finally(progress.end)
    await stateFile.written()
    await announce(session, runStateOf(session.io.pid, supervision.states()), authority)
    await stopped(session.io.signal)
  } catch (fault) {
    if (!session.io.signal.aborted) throw fault
  } finally {
    await supervision.stop()
    await stateFile.remove()
  }
}

async function prepare(session: Session, only: readonly string[] | undefined): Promise<Configured> {
  const { loadRoles } = await import('../roles/catalog.ts')
  const together = chosenRoles(await loadRoles(), only).map((role) => role.name)
  const configured = await configure(session, { together })
  const { registry } = configured.sections
  if (registry?.port !== 0 || !together.includes('registry')) return configured
  // Everyone must know the registry's address before it listens
  const port = await freePort(registry.host)
  return { ...configured, sections: { ...configured.sections, registry: { ...registry, port } } }
}

/** Two platforms on one data folder would send each other's events twice. */
async function refuseSecond({ io }: Session, data: string): Promise<void> {
  const other = await readRunState(data, io.isAlive)
  if (!other || !(await answers(other))) return
  throw new AppError(
    'USAGE',
    `a platform runs on ${data} already (process ${other.pid}); stop it, or choose another folder with --data`,
  )
}

/** Whether any role of a platform still listens: the process id alone may belong to someone else by now. */
async function answers({ roles }: RunState): Promise<boolean> {
  const asked = roles.map(({ url }) => fetch(`${url}/livez`, { signal: AbortSignal.timeout(500) }))
  return Promise.any(asked).then(
    () => true,
    () => false,
  )
}

async function launcher(session: Session, { settings }: Configured, flags: UpFlags): Promise<Launch> {
  const { io } = session
  if (flags.inProcess) {
    const [{ hostRunner }, { inProcess }] = await Promise.all([
      import('./host-runner.ts'),
      import('../kit/supervisor/in-process.ts'),
    ])
    return inProcess(await hostRunner(session, settings.log.format), io.pid)
  }
  return childProcesses({
    command: [...io.self, 'serve'],
    suffix: ['--supervised'],
    environment: io.environment,
    onLine: unitOutput(session, await logOutput(session, settings.log.format)),
  })
}

/** Says where everything is, and how to begin. */
async function announce(session: Session, state: RunState, authority: Authority): Promise<void> {
  const hasGateway = state.roles.some(({ service }) => service === GATEWAY)
  const token = hasGateway ? await authority.mint({ subject: 'ann', audience: GATEWAY, scopes: SCOPES }) : undefined
  session.printJson({ ready: true, ...state, ...(token !== undefined && { token }) })
  if (session.options.quiet) return
  const { readyText } = await import('./ready-table.ts')
  session.print(readyText({ state, seed: String(session.io.pid), ...(token !== undefined && { token }) }))
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
