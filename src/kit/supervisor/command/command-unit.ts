import type { Clock } from '../../../drivers/clock.ts'
import type { OwnService, Readiness } from '../../config/own-service.ts'
import { addressOf } from '../../config/schema.ts'
import { AppError } from '../../errors.ts'
import { aborted } from '../../pause.ts'
import { isTaken } from '../free-port.ts'
import type { Guard } from '../guard.ts'
import type { LaunchedUnit, Unit } from '../unit.ts'
import { Build } from './build.ts'
import { processEnvironment } from './environment.ts'
import { type ProcessGroup, startGroup } from './process-group.ts'
import { lookReady, type ReadinessOptions, untilReady } from './readiness.ts'
import type { CommandLine } from './shell-line.ts'

/** A replica of a user's service that is to run. */
export interface CommandPlan {
  /** Its own name: the service's, with a number from the second replica on. */
  readonly unit: string
  /** What it is registered as. */
  readonly service: string
  /** Names of the roles and services that must be ready first. */
  readonly needs: readonly string[]
  readonly run: CommandLine
  readonly build: CommandLine | undefined
  readonly dir: string
  /** All that it is told, but for what each process is told of itself. */
  readonly env: Readonly<Record<string, string>>
  /** Those names in `env` that say where others are. Default none. */
  readonly addresses?: readonly string[]
  /** Names of secrets, which become variables. */
  readonly secrets: readonly string[]
  /** Where it should listen; undefined for a worker. */
  readonly place: { readonly host: string; readonly port: number } | undefined
  readonly ready: Readiness
  readonly stop: OwnService['stop']
  readonly restart: OwnService['restart']
}

/** A replica's place in the registry. */
export interface Enrolment {
  /** Resolves once it is in it, or that takes too long. */
  readonly entered: Promise<void>
  /** Takes it out of rotation, or puts it in again. */
  setHealthy(isHealthy: boolean): void
  /** Takes it out for good; resolves when who routes has had time to hear it. */
  leave(): Promise<void>
}

/** What commands work with. */
export interface CommandTools {
  readonly clock: Clock
  readonly guard: Guard
  /** A replica as it was planned last. Default: as it was launched. */
  readonly latest?: (plan: CommandPlan) => CommandPlan
  /** Makes the id of a process. */
  readonly instanceOf: (service: string) => string
  /** Takes what a process writes. */
  readonly output: (plan: CommandPlan, instance: string) => CommandOutput
  /** What is run before the first replica starts; undefined for nothing. */
  readonly buildOf: (plan: CommandPlan) => Build | undefined
  /** Puts a ready one in the registry. */
  readonly enrol: (plan: CommandPlan, instance: string) => Enrolment
  /** What a process is told that isn't in its plan, secrets among it. Rejects with an AppError that names what is missing. */
  readonly variablesOf: (plan: CommandPlan, signal: AbortSignal) => Promise<Readonly<Record<string, string>>>
}

/** Where goes what a process writes. */
export interface CommandOutput {
  take(stream: 'stdout' | 'stderr', chunk: Buffer): void
  /** Whether it has written the text that it is ready by. */
  hasWritten(): boolean
  end(): void
}

/** How long what answered is believed to be well before it is asked again, milliseconds: each question stands in its own log. */
const WELL_MS = 5_000
/** A worker that ends sooner has never worked, milliseconds. */
const PROVEN_MS = 1_000
/** By this its processes are told from everybody else's. */
const MARK = 'INSTANCE_ID'

/** Makes the unit of a replica: a command in a process group of its own, in the registry for as long as it is well. */
export function commandUnit(plan: CommandPlan, tools: CommandTools): Unit {
  const { unit, service, needs, stop, restart } = plan
  const { addresses = [], ...own } = plan
  const env = Map.groupBy(Object.entries(plan.env), ([name]) => addresses.includes(name))
  return {
    name: unit,
    replicaOf: service,
    service,
    needs,
    definition: JSON.stringify({ ...own, env: env.get(false) }),
    addresses: Object.fromEntries(env.get(true) ?? []),
    essential: false,
    // whoever stands still in a debugger is not to be ended
    livenessMs: Number.POSITIVE_INFINITY,
    drainMs: stop.grace_ms,
    provenMs: plan.ready.by === 'none' ? PROVEN_MS : 0,
    restartBudget: restart.budget ?? Number.POSITIVE_INFINITY,
    afterEnd(how) {
      if (restart.when === 'always') return 'again'
      if (how === 'exit code 0') return 'finished'
      return restart.when === 'never' ? 'failed' : 'again'
    },
    launch: () => launch(plan, tools),
  }
}

/** Starts a command of a replica, its run or its build, with all that it is told. */
async function startCommand(
  plan: CommandPlan,
  command: CommandLine,
  tools: CommandTools,
  { instance, variables }: { readonly instance: string; readonly variables: Readonly<Record<string, string>> },
) {
  const env = processEnvironment(plan.env, instance, variables)
  const output = tools.output(plan, instance)
  const group = await startGroup({
    command,
    dir: plan.dir,
    env,
    mark: MARK,
    stop: { signal: plan.stop.signal, graceMs: plan.stop.grace_ms },
    guard: tools.guard,
    onOutput: output.take,
    onOutputEnd: output.end,
  })
  return { group, env, hasWritten: output.hasWritten }
}

/** Makes the build of a service, whichever of its replicas asks for it; it begins when `after` has resolved. Default: at once. */
export function commandBuild(
  plan: CommandPlan,
  command: CommandLine,
  tools: CommandTools,
  after?: Promise<void>,
): Build {
  return new Build({
    command,
    ...(after && { after }),
    async start(line) {
      const instance = tools.instanceOf(plan.service)
      return (await startCommand(plan, line, tools, { instance, variables: {} })).group
    },
  })
}

function launch(launched: CommandPlan, tools: CommandTools): LaunchedUnit {
  const { unit, service, run, dir, place, ready } = launched
  const instance = tools.instanceOf(service)
  const exited = Promise.withResolvers<string>()
  const leaving = new AbortController()
  let group: ProcessGroup | undefined
  let enrolment: Enrolment | undefined
  let look: ReadinessOptions | undefined
  let wellAt = Number.NEGATIVE_INFINITY

  async function begin(tell: (doing: string) => void) {
    // whom it can find may have changed while it waited
    const plan = tools.latest?.(launched) ?? launched
    const variables = await tools.variablesOf(plan, leaving.signal)
    const build = tools.buildOf(plan)
    if (build) {
      tell('building')
      await build.ensure(leaving.signal)
    }
    leaving.signal.throwIfAborted()
    // whoever listens there already would be taken for this one
    if (place && (await isTaken(place.host, place.port)))
      throw new AppError('START_FAILED', `port ${place.port} on ${place.host} is taken by another program; stop it`)
    const started = await startCommand(plan, run, tools, { instance, variables })
    const { env, hasWritten } = started
    return { group: started.group, look: { ready, place, dir, env, guard: tools.guard, hasWritten } }
  }

  return {
    get pid() {
      return group?.pid ?? 0
    },
    async start(_, tell) {
      const begun = await begin(tell).catch((fault: unknown) => {
        exited.resolve('stopped')
        throw fault
      })
      group = begun.group
      look = begun.look
      const { ended } = group
      void ended.then((how) => {
        // who is sent to it meanwhile is refused: that is the one thing that can't wait
        void enrolment?.leave()
        leaving.abort()
        return how
      })
      void group.exited.then(exited.resolve)
      if (leaving.signal.aborted) group.stop()
      tell('starting')
      const over = new AbortController()
      const isReady = untilReady(look, tell, over.signal)
      await Promise.race([isReady, aborted(leaving.signal)])
      over.abort()
      if (leaving.signal.aborted) throw new AppError('UNAVAILABLE', `${unit} ended before it was ready`)
      wellAt = tools.clock.monotonic()
      if (place) {
        enrolment = tools.enrol(launched, instance)
        await enrolment.entered
      }
      return { service, instance, ...(place && { url: addressOf(place) }) }
    },
    async probe() {
      if (!enrolment || !look || tools.clock.monotonic() - wellAt < WELL_MS) return
      if (ready.by !== 'http' && ready.by !== 'tcp') return
      const why = await lookReady(look, leaving.signal)
      // no answer is the answer
      if (why !== undefined) await new Promise(() => {})
      wellAt = tools.clock.monotonic()
    },
    onSilence: (isSilent) => enrolment?.setHealthy(!isSilent),
    stop() {
      leaving.abort()
      if (!group) exited.resolve('stopped')
      else void (enrolment?.leave() ?? Promise.resolve()).then(() => group?.stop())
    },
    kill() {
      leaving.abort()
      if (group) group.kill()
      else exited.resolve('stopped')
    },
    exited: exited.promise,
  }
}
