import { MOST_REPLICAS } from '../../kit/config/replicas.ts'
import { AppError } from '../../kit/errors.ts'
import { type Changes, type ControlRequest, NO_CHANGES } from '../../kit/supervisor/control-protocol.ts'
import { namedUnits } from '../../kit/supervisor/named-units.ts'
import type { Supervision } from '../../kit/supervisor/supervise.ts'
import type { Unit } from '../../kit/supervisor/unit.ts'
import { isUp, type UnitState } from '../../kit/supervisor/unit-state.ts'
import type { Wish } from '../plan/plan.ts'
import { unreadyRows } from './unready.ts'

/** What changes which units run. */
export type SteeringRequest = Extract<
  ControlRequest,
  { readonly do: 'start' | 'halt' | 'restart' | 'scale' | 'apply' | 'down' }
>

/** What is to run from now on. */
export interface PlannedUnits {
  readonly units: readonly Unit[]
  /** Settings that were changed, and are not heeded before the platform is started anew. */
  readonly pending: readonly string[]
  /** Told when they run, and what is gone has ended. */
  readonly applied: () => void
}

/** How a platform is steered. */
export interface SteeringOptions {
  readonly supervision: Pick<Supervision, 'reports' | 'start' | 'halt' | 'restart' | 'apply' | 'settle'>
  /** What was asked for at the start. */
  readonly wish: Wish
  /** What a wish comes to, by the configuration as it is now. Throws AppError `CONFIG_INVALID` or `USAGE`. */
  readonly plan: (wish: Wish) => Promise<PlannedUnits>
  /** Stops all of it. */
  readonly down: () => void
}

/** Changes which units of a platform run; what is planned anew, one after the other. */
export interface Steering {
  /** @param signal fires when nobody waits for units to be ready any more: then it is not waited for, and of a rolling restart the rest is left as it is */
  steer(request: SteeringRequest, signal: AbortSignal): Promise<Changes>
}

/** Makes what steers a platform. */
export function createSteering({ supervision, plan, down, ...first }: SteeringOptions): Steering {
  let wish = first.wish
  let last: Promise<unknown> = Promise.resolve()

  const meant = (names: readonly string[]) =>
    namedUnits(
      names,
      supervision.reports().map(({ unit }) => unit),
    )

  /** Those of the units that stand like this now. */
  const standing = (names: readonly string[], holds: (state: UnitState) => boolean) =>
    supervision.reports().flatMap(({ unit, state }) => (names.includes(unit.name) && holds(state) ? [unit.name] : []))

  async function planAnew(wishNow: () => Wish): Promise<Changes> {
    const wanted = wishNow()
    const { units, pending, applied } = await plan(wanted)
    wish = wanted
    const changes = await supervision.apply(units)
    applied()
    return { ...changes, pending_restart: pending }
  }

  /** Plans anew, and says how far those are then that it starts; the next plan doesn't wait for them. */
  async function planAndSettle(wishNow: () => Wish, signal: AbortSignal): Promise<Changes> {
    const changes = await inTurn(wishNow)
    const names = [...changes.started, ...changes.restarted]
    await supervision.settle(names, signal)
    return { ...changes, unready: unreadyRows(supervision.reports(), names) }
  }

  function inTurn(wishNow: () => Wish): Promise<Changes> {
    const answer = last.then(() => planAnew(wishNow))
    last = answer.catch(() => {})
    return answer
  }

  async function steer(request: SteeringRequest, signal: AbortSignal): Promise<Changes> {
    switch (request.do) {
      case 'start': {
        const units = meant(request.units)
        const running = standing(units, ({ at }) => isUp(at))
        await supervision.start(units, signal)
        return { ...NO_CHANGES, started: without(units, running), notes: running.map((unit) => `${unit} runs already`) }
      }
      case 'halt': {
        const units = meant(request.units)
        const still = standing(units, ({ at }) => at === 'stopped')
        await supervision.halt(units)
        return {
          ...NO_CHANGES,
          stopped: without(units, still),
          notes: still.map((unit) => `${unit} is stopped already`),
        }
      }
      case 'restart': {
        const units = meant(request.units)
        await supervision.restart(units, request, signal)
        return { ...NO_CHANGES, restarted: units }
      }
      case 'scale':
        return planAndSettle(
          () => ({ ...wish, scale: new Map([...wish.scale, [request.of, replicasOf(request)]]) }),
          signal,
        )
      case 'apply':
        return planAndSettle(() => wish, signal)
      case 'down':
        down()
        return NO_CHANGES
    }
  }

  return { steer }
}

const without = (names: readonly string[], some: readonly string[]): readonly string[] =>
  names.filter((name) => !some.includes(name))

function replicasOf({ of, replicas }: Extract<SteeringRequest, { readonly do: 'scale' }>): number {
  if (replicas >= 1 && replicas <= MOST_REPLICAS) return replicas
  throw new AppError('USAGE', `${of} runs in 1 to ${MOST_REPLICAS} replicas, not ${replicas}; msvc stop ${of} stops it`)
}
