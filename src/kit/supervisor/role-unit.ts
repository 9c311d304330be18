import type { Job } from './job.ts'
import type { Step } from './protocol.ts'
import type { LaunchedUnit, Started, Unit } from './unit.ts'

/** One copy of a role that is to run. */
export interface RolePlan {
  /** Its own name: the role's CLI word, with a number from the second copy on (`user-2`). */
  readonly unit: string
  /** CLI words of the roles that must be ready first. */
  readonly needs: readonly string[]
  readonly job: Job
}

/** One launched copy of a role, in a process of its own or in this one. */
export interface LaunchedRole extends Omit<LaunchedUnit, 'start'> {
  /** As `LaunchedUnit.start`. */
  start(job: Job): Promise<Started>
  /**
   * Has it take a step of a cutover; resolves once it has. Rejects with AppError `CONFLICT` and its own words when it can't, `UNAVAILABLE` when it ended
   * first.
   */
  take(step: Step): Promise<void>
}

/**
 * Launches a copy of a role that waits for its `start`.
 * @param unit the copy's name, such as `user` or `user-2`
 */
export type LaunchRole = (role: string, unit: string) => LaunchedRole

/** Copies of roles as the supervisor runs them. */
export interface RoleUnits {
  /** Those made last. */
  readonly units: readonly Unit[]
  /** What each was launched as last, by its name. */
  readonly launched: ReadonlyMap<string, LaunchedRole>
  /** Makes units of what is to run from now on. */
  plan(plans: readonly RolePlan[]): readonly Unit[]
}

/**
 * Makes units of copies of roles. One that is started again keeps the port it was given, so that whoever has its address finds it there.
 * @param jobNow asked at each start: what is to be done instead of what was planned. Default: just that
 */
export function roleUnits(launch: LaunchRole, jobNow: (job: Job) => Job = (job) => job): RoleUnits {
  const launched = new Map<string, LaunchedRole>()
  let units: readonly Unit[] = []
  const unitOf = ({ unit, needs, job }: RolePlan): Unit => ({
    name: unit,
    replicaOf: job.role,
    needs,
    definition: JSON.stringify(job),
    essential: true,
    provenMs: 0,
    restartBudget: Number.POSITIVE_INFINITY,
    afterEnd: () => 'again',
    livenessMs: job.settings.liveness_seconds * 1_000,
    drainMs: job.settings.drain_seconds * 1_000,
    launch() {
      const role = launch(job.role, unit)
      launched.set(unit, role)
      return {
        ...role,
        start: ({ last, after }) =>
          role.start({ ...jobNow(onPortOf(job, last)), ...(after !== undefined && { after }) }),
      }
    },
  })
  return {
    get units() {
      return units
    },
    launched,
    plan(plans) {
      units = plans.map(unitOf)
      return units
    },
  }
}

function onPortOf(job: Job, last: Started | undefined): Job {
  return last?.url ? { ...job, section: { ...job.section, port: Number(new URL(last.url).port) } } : job
}
