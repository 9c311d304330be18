import { systemClock } from '../../../drivers/clock.ts'
import { Platform } from '../../config/schema.ts'
import { AppError } from '../../errors.ts'
import type { Step } from '../protocol.ts'
import { type LaunchedRole, type LaunchRole, type RolePlan, roleUnits } from '../role-unit.ts'
import { type SuperviseOptions, supervise } from '../supervise.ts'
import type { Started } from '../unit.ts'
import type { UnitChange } from '../unit-state.ts'

const settings = Platform.parse({ drain_seconds: 0 })

/** A role's plan: nothing is drained, any free port. */
export const plan = (unit: string, needs: readonly string[] = []): RolePlan => ({
  unit,
  needs,
  job: {
    role: unit.replace(/-\d+$/, ''),
    settings,
    section: { host: '127.0.0.1', port: 0 },
    registryUrl: 'http://127.0.0.1:1',
  },
})

/**
 * A launcher of roles that do as the test says, and what happened to them, in order; `running`: the lives that haven't ended, such as `user/2`.
 * @param refuse what a role's start throws in its how-manyth life; default: nothing
 * @param take what becomes of a step; default: it is taken
 */
export function theatre(
  refuse: (role: string, life: number) => AppError | undefined = () => undefined,
  take: (unit: string, step: Step) => Promise<void> = async () => {},
) {
  const events: string[] = []
  const why: (string | undefined)[] = []
  const lives = new Map<string, number>()
  const crash = new Map<string, () => void>()
  const hanging = new Set<string>()
  const running = new Set<string>()
  const launch: LaunchRole = (role, unit) => {
    const life = (lives.get(unit) ?? 0) + 1
    lives.set(unit, life)
    events.push(`launch ${unit}`)
    const ended = Promise.withResolvers<string>()
    const itself = `${unit}/${life}`
    running.add(itself)
    void ended.promise.then(() => running.delete(itself))
    crash.set(unit, () => ended.resolve('SIGKILL'))
    const launched: LaunchedRole = {
      pid: 1,
      async start({ section, after }): Promise<Started> {
        const fault = refuse(role, life)
        if (fault) throw fault
        events.push(`start ${unit}`)
        why.push(after)
        const port = section.port || 41_000
        return {
          service: `${role}-service`,
          instance: itself,
          url: `http://127.0.0.1:${port + (section.port ? 0 : life)}`,
          advertised: `http://127.0.0.1:${port + (section.port ? 0 : life)}`,
        }
      },
      take(step) {
        events.push(`${step.step} ${unit}`)
        return take(unit, step)
      },
      probe: () => (hanging.has(unit) ? new Promise(() => {}) : Promise.resolve()),
      stop() {
        events.push(`stop ${unit}`)
        ended.resolve('exit code 0')
      },
      kill() {
        hanging.delete(unit)
        ended.resolve('SIGKILL')
      },
      exited: ended.promise,
    }
    return launched
  }
  return { events, why, launch, crash: (unit: string) => crash.get(unit)?.(), hanging, running }
}

/** Supervises such roles; `until` resolves once a condition holds after a change of any unit. */
export function run(plans: readonly RolePlan[], launch: LaunchRole, options: Partial<SuperviseOptions> = {}) {
  const changes: UnitChange[] = []
  const watchers = new Set<() => void>()
  const supervision = supervise({
    units: roleUnits(launch).plan(plans),
    clock: systemClock,
    onLost: async () => {},
    onChange: (change) => {
      changes.push(change)
      for (const watcher of watchers) watcher()
    },
    ...options,
  })
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!holds()) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
      look()
    })
  return { ...supervision, changes, until }
}

/** Launches as `launch` does what never gets ready, while `isStuck` says so. */
export function neverReady(launch: LaunchRole, isStuck: (role: string) => boolean = () => true): LaunchRole {
  return (role, unit) => {
    const launched = launch(role, unit)
    const start = () => launched.exited.then((how) => Promise.reject(new AppError('UNAVAILABLE', how)))
    return isStuck(role) ? { ...launched, start } : launched
  }
}
