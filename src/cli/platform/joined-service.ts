import { rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../drivers/clock.ts'
import { explain } from '../../kit/config/explain.ts'
import { OwnService, OwnServiceName } from '../../kit/config/own-service.ts'
import { platformAuthority } from '../../kit/config/platform-authority.ts'
import type { Settings } from '../../kit/config/schema.ts'
import { parseEndpoints, printEndpoint } from '../../kit/discovery/endpoint.ts'
import { AppError } from '../../kit/errors.ts'
import { type CommandPlan, commandUnit } from '../../kit/supervisor/command/command-unit.ts'
import { serviceEnvironment } from '../../kit/supervisor/command/environment.ts'
import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { createKeptPorts } from '../../kit/supervisor/free-port.ts'
import { supervise } from '../../kit/supervisor/supervise.ts'
import type { Unit } from '../../kit/supervisor/unit.ts'
import type { UnitState } from '../../kit/supervisor/unit-state.ts'
import { serviceTools } from '../services/service-tools.ts'
import { configureClient, numeric } from '../session/configuration.ts'
import { nothingRuns } from '../session/place.ts'
import { type RunState, readRunState } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { createMessages } from '../terminal/messages.ts'
import { createProgress, type Progress } from '../terminal/progress.ts'
import { silence } from './answering.ts'
import { askUnits } from './ask-units.ts'
import { unitLogOutput } from './log-output.ts'

/** Flags of `msvc run` as commander gives them. */
export interface RunFlags {
  readonly name: string
  readonly port?: string
  readonly ready?: string
}

/** Where it listens. */
const HOST = '127.0.0.1'

/**
 * `msvc run`: runs a command as a service of the platform on the data folder, until it ends or the signal fires. Its exit code becomes this process's; it isn't
 * started again. Throws AppError `UNAVAILABLE` when no platform runs there, `USAGE` for flags that mean nothing and a name that is taken, `START_FAILED` when it can't be started.
 */
export async function runJoined(session: Session, command: readonly string[], flags: RunFlags): Promise<void> {
  const { io, options } = session
  const service = readFlags(command, flags)
  const { settings, roles } = await configureClient(session)
  const { data } = settings
  const state = await readRunState(data)
  if (!state) {
    throw new AppError('UNAVAILABLE', `${nothingRuns(data)}; start it with msvc up, or name another folder with --data`)
  }
  const addresses = addressesOf(settings, state)
  const { name } = flags
  await refuseRunning(name, data, io.leaving)
  const quiet = options.quiet ?? false
  const progress = createProgress(quiet ? { ...io.err, isTTY: false } : io.err)
  const messages = createMessages(progress.above, quiet)
  const authority = platformAuthority(settings, systemClock)
  const seen = await unitLogOutput({ io: { err: progress.above }, options }, settings.log.format, [name])
  // the platform may run a service of this name too, and has a file for it
  const folder = join(data, 'services', `run-${io.pid}`)
  const audiences = [...new Set([...roles.map((role) => role.service), ...Object.keys(addresses)])]
  const { tools, close } = serviceTools({
    authority,
    addresses,
    environment: state.environment,
    audiences: () => audiences,
    folder,
    // a heartbeat finds it by itself
    onRegistryBack: () => () => {},
    seen,
    warn: (words) => messages.warn(words),
  })
  const plan = await planOf(service, { name, addresses, environment: state.environment, data, session })
  try {
    const end = await runToEnd(commandUnit(plan, { ...tools, buildOf: () => undefined }), session, progress, (at) => {
      const where = at.url === undefined ? '' : ` at ${at.url}`
      messages.success(`${name} has joined the platform on ${data}${where} (process ${at.pid})`)
      session.printJson({ service: name, instance: at.instance, url: at.url ?? null, pid: at.pid })
    })
    if (end.at !== 'failed') return
    messages.error(`${name} ended: ${end.why}`)
    session.endWith(codeOf(end.why))
  } finally {
    progress.end()
    await close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Half of what is meant for one would reach the other. Throws AppError `USAGE` for a name that a unit of the platform runs by, `UNAVAILABLE` when it gives no answer. */
async function refuseRunning(name: string, data: string, signal: AbortSignal): Promise<void> {
  const told = await askUnits(data, signal)
  if (told === 'silent') throw new AppError('UNAVAILABLE', await silence(data))
  const isOver = (state: UnitRow['state']) => state === 'stopped' || state === 'finished' || state === 'failed'
  const running = told?.units.find(({ unit, service, state }) => (unit === name || service === name) && !isOver(state))
  if (!running) return
  const { unit } = running
  const who = unit === name ? '' : ` (${unit})`
  throw new AppError(
    'USAGE',
    `--name: the platform runs ${name} already${who}; stop that with msvc stop ${unit} to run another in its place, or choose another name`,
  )
}

/** The service that flags and command make. Throws AppError `USAGE`. */
function readFlags(command: readonly string[], { name, port, ready }: RunFlags): OwnService {
  const given = {
    run: [...command],
    restart: { when: 'never' },
    ...(port !== undefined && { port: numeric(port) }),
    ...(ready !== undefined && { ready }),
  }
  const faults = [
    ...explain(OwnServiceName, name).map(({ message }) => `--name: ${message}`),
    ...explain(OwnService, given).map(({ path, message }) => `--${path.join('.')}: ${message}`),
  ]
  if (faults.length > 0) throw new AppError('USAGE', faults.join('\n'))
  return OwnService.parse(given)
}

/** Where everything is that runs on the data folder, or elsewhere, by registered name. */
function addressesOf({ services }: Pick<Settings, 'services'>, { roles }: RunState): Readonly<Record<string, string>> {
  const elsewhere = Object.entries(services).flatMap(([name, list]) =>
    parseEndpoints(list)
      .slice(0, 1)
      .map((first): [string, string] => [name, printEndpoint(first)]),
  )
  const running = roles.map(({ service, url }): [string, string] => [service, url]).toReversed()
  return Object.fromEntries([...running, ...elsewhere])
}

interface Surroundings {
  readonly name: string
  readonly addresses: Readonly<Record<string, string>>
  readonly environment: string
  /** The platform's data folder. */
  readonly data: string
  readonly session: Session
}

async function planOf(
  service: OwnService,
  { name, addresses, environment, data, session }: Surroundings,
): Promise<CommandPlan> {
  const { io } = session
  const { run, ready, port, secrets, stop, restart } = service
  const place =
    ready.by === 'none' ? undefined : { host: HOST, port: port ?? (await createKeptPorts(io.pid)(name, HOST)) }
  const env = serviceEnvironment({
    service: name,
    environment,
    place,
    data,
    urls: addresses,
    inherited: io.environment,
    own: {},
  })
  return {
    unit: name,
    service: name,
    needs: [],
    run,
    build: undefined,
    dir: io.folder,
    env,
    secrets,
    place,
    ready,
    stop,
    restart,
  }
}

/** Runs a unit until it has ended, or the signal has ended it; gives how. */
async function runToEnd(
  unit: Unit,
  { io }: Session,
  progress: Progress,
  onReady: (state: Extract<UnitState, { readonly at: 'ready' }>) => void,
): Promise<UnitState> {
  const over = Promise.withResolvers<UnitState>()
  const supervision = supervise({
    units: [unit],
    clock: systemClock,
    onChange({ state, was }) {
      if (state.at === 'starting') progress.show(`${unit.name}: ${state.doing ?? 'starting'}`)
      else progress.end()
      if (state.at === 'ready' && was !== 'silent') onReady(state)
      if (state.at === 'finished' || state.at === 'failed' || state.at === 'stopped') over.resolve(state)
    },
    onLost: async () => {},
  })
  supervision.ready.catch(() => {})
  const stop = () => void supervision.stop()
  if (io.signal.aborted) stop()
  io.signal.addEventListener('abort', stop, { once: true })
  const end = await over.promise
  await supervision.stop()
  return end
}

/** The exit code of a command by how it ended; for a signal as a shell has it (POSIX.1-2024, XCU 2.8.2). */
function codeOf(how: string): number {
  const [, code, signal] = /^(?:exit code (\d+)|(SIG[A-Z0-9]+))/.exec(how) ?? []
  if (code !== undefined) return Number(code)
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1]
  return number === undefined ? 1 : 128 + number
}
