import type { HeldPort } from '../../drivers/system/held-port.ts'
import type { Job } from './job.ts'
import type { Step } from './protocol.ts'
import type { LaunchedUnit, Started, Unit } from './unit.ts'

/** One replica of a role that is to run. */
export interface RolePlan {
  /** Its own name: the role's CLI word, with a number from the second replica on (`user-2`). */
  readonly unit: string
  /** CLI words of the roles that must be ready first. */
  readonly needs: readonly string[]
  readonly job: Job
  /** Keys of its section that it takes anew while it runs. Default none. */
  readonly reloads?: readonly string[]
}

/** One launched replica of a role, in a process of its own or in this one. */
export interface LaunchedRole extends Omit<LaunchedUnit, 'start' | 'reload'> {
  /** As `LaunchedUnit.start`. */
  start(job: Job): Promise<Started>
  /**
   * Has it take a step, with a socket where that is for one; resolves once it has. Rejects with AppError `CONFLICT` and its own words when it can't, `UNAVAILABLE` when it ended
   * first.
   */
  take(step: Step, held?: HeldPort): Promise<void>
}

/**
 * Launches a replica of a role that waits for its `start`.
 * @param unit the replica's name, such as `user` or `user-2`
 */
export type LaunchRole = (role: string, unit: string) => LaunchedRole

/** Replicas of roles as the supervisor runs them. */
export interface RoleUnits {
  /** Those made last. */
  readonly units: readonly Unit[]
  /** What each was launched as last, by its name. */
  readonly launched: ReadonlyMap<string, LaunchedRole>
  /** Makes units of what is to run from now on. */
  plan(plans: readonly RolePlan[]): readonly Unit[]
}

/**
 * Makes units of replicas of roles. One that is started again keeps the port it was given, so that whoever has its address finds it there.
 * @param jobNow asked at each start: what is to be done instead of what was planned. Default: just that
 */
export function roleUnits(launch: LaunchRole, jobNow: (job: Job, unit: string) => Job = (job) => job): RoleUnits {
  const launched = new Map<string, LaunchedRole>()
  let units: readonly Unit[] = []
  let planned: ReadonlyMap<string, RolePlan> = new Map()
  const unitOf = (plan: RolePlan): Unit => ({
    name: plan.unit,
    replicaOf: plan.job.role,
    needs: plan.needs,
    definition: definitionOf(plan),
    reloadable: JSON.stringify(changesOf(plan)),
    essential: true,
    provenMs: 0,
    restartBudget: Number.POSITIVE_INFINITY,
    afterEnd: () => 'again',
    livenessMs: plan.job.settings.liveness_seconds * 1_000,
    drainMs: plan.job.settings.drain_seconds * 1_000,
    launch: () => launchUnit(plan),
  })

  function launchUnit(plan: RolePlan): LaunchedUnit {
    const role = launch(plan.job.role, plan.unit)
    launched.set(plan.unit, role)
    const latest = () => planned.get(plan.unit) ?? plan
    const reload = () => role.take({ step: 'reload', changes: changesOf(latest()) })
    return {
      ...role,
      async start({ last, after }) {
        const told = latest()
        const job = jobNow(onPortOf(told.job, last), plan.unit)
        const started = await role.start({ ...job, ...(after !== undefined && { after }) })
        if (JSON.stringify(changesOf(latest())) !== JSON.stringify(changesOf(told))) await reload()
        return started
      },
      reload,
    }
  }
  return {
    get units() {
      return units
    },
    launched,
    plan(plans) {
      planned = new Map(plans.map((plan) => [plan.unit, plan]))
      units = plans.map(unitOf)
      return units
    },
  }
}

/**
 * What it can't be told while it runs. Where the platform keeps things isn't planned, but told to it by whoever moves it; and what else runs is
 * nothing to it.
 */
function definitionOf({ job, reloads = [] }: RolePlan): string {
  const { data: _data, store: _store, bus: _bus, cache: _cache, up: _up, ...settings } = job.settings
  const section = Object.entries(job.section).filter(([key]) => !reloads.includes(key))
  return JSON.stringify({ ...job, settings, section })
}

/** What it can be told while it runs. */
function changesOf({ job, reloads = [] }: RolePlan): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(job.section).filter(([key]) => reloads.includes(key)))
}

function onPortOf(job: Job, last: Started | undefined): Job {
  return last?.url ? { ...job, section: { ...job.section, port: Number(new URL(last.url).port) } } : job
}
