import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import type { Supervision } from '../../kit/supervisor/supervise.ts'
import type { Started, Unit } from '../../kit/supervisor/unit.ts'
import { isUp, type UnitChange, type UnitReport, type UnitState } from '../../kit/supervisor/unit-state.ts'
import type { RunState } from '../session/run-state.ts'
import type { Messages } from '../terminal/messages.ts'
import type { Progress } from '../terminal/progress.ts'
import type { RoutedServices } from './gateway-routes.ts'
import { startingUnits } from './starting-units.ts'

/** All that was ready once and listens, and how it is now, in the order of the plan. */
export function knownUnits(
  units: readonly Pick<Unit, 'name' | 'replicaOf'>[],
  states: ReturnType<Supervision['states']>,
): RunState['roles'] {
  return units.flatMap(({ name: unit, replicaOf: role }): RunState['roles'] => {
    const state = states.get(unit)
    if (!state) return []
    if (state.at === 'ready' || state.at === 'silent') {
      const { at, service, url, pid } = state
      return url === undefined ? [] : [{ unit, role, service, url, state: at, pid }]
    }
    if (state.at !== 'starting' && state.at !== 'backing-off') return []
    const { last } = state
    return last?.url === undefined ? [] : [{ unit, role, service: last.service, url: last.url, state: 'down' }]
  })
}

/** What listens nowhere and was ready once, and what has ended for good, and how it is now, in the order of the plan. */
export function portlessUnits(
  units: readonly Pick<Unit, 'name' | 'service'>[],
  states: ReturnType<Supervision['states']>,
): RunState['portless'] {
  return units.flatMap(({ name: unit, service: known }): RunState['portless'] => {
    const state = states.get(unit)
    if (!state) return []
    const { at } = state
    const started = lastStarted(state)
    const service = started?.service ?? known
    const row = { unit, ...(service !== undefined && { service }) }
    if (at === 'finished' || at === 'failed') return [{ ...row, state: at }]
    if (started === undefined || started.url !== undefined) return []
    return [at === 'ready' || at === 'silent' ? { ...row, state: at, pid: state.pid } : { ...row, state: 'down' }]
  })
}

/** What it says of itself, or did when it was ready last; undefined for one that never was, and for one that has ended for good. */
function lastStarted(state: UnitState): Started | undefined {
  if (state.at === 'ready' || state.at === 'silent') return state
  return 'last' in state ? state.last : undefined
}

/** Units as other commands see them. @param routed where services are reached through the gateway. Default: nowhere */
export function unitRows(reports: readonly UnitReport[], routed: RoutedServices = new Map()): readonly UnitRow[] {
  const lines = startingUnits(reports)
  return reports.map((report, index) => {
    const row = rowOf(report, lines[index]?.words ?? report.state.at)
    const routes = row.service === undefined ? undefined : routed.get(row.service)
    return { ...row, ...(routes && { routes }) }
  })
}

function rowOf({ unit, state, restarts, since, ended }: UnitReport, words: string): UnitRow {
  const { restartBudget: budget } = unit
  const started = lastStarted(state)
  const service = started?.service ?? unit.service
  return {
    unit: unit.name,
    ...(service !== undefined && { service }),
    ...(started?.url !== undefined && { url: started.url }),
    state: state.at,
    ...('doing' in state && { doing: state.doing }),
    words,
    ...('pid' in state && { pid: state.pid }),
    restarts,
    ...('inARow' in state && { ends_in_a_row: state.inARow }),
    ...(budget !== Number.POSITIVE_INFINITY && { restart_budget: budget }),
    ...(state.at === 'backing-off' && { next_start: new Date(since + state.delayMs).toISOString() }),
    since: new Date(since).toISOString(),
    ...(ended !== undefined && { ended }),
  }
}

/** The names of those that were never ready, in the order of the plan. */
export function unreadyUnits(states: ReturnType<Supervision['states']>): string[] {
  const isOver = ({ at }: UnitState) => at === 'stopped' || at === 'finished' || at === 'failed'
  return [...states].filter(([, state]) => !isOver(state) && lastStarted(state) === undefined).map(([unit]) => unit)
}

/**
 * Tells the person what happens to a unit once it was ready: a line for each end, silence and return.
 * @param isLate whether the platform was ready before: then it matters that one gets ready for the first time
 */
export function tellChange(
  { unit: { name: unit, livenessMs, restartBudget }, state, was, life, endsInARow }: UnitChange,
  messages: Messages,
  isLate: boolean,
): void {
  if (state.at === 'backing-off' && isWorthTelling(endsInARow)) {
    const ended = isUp(was) ? 'ended' : 'did not start'
    const times = endsInARow === 1 ? '' : `, ${endsInARow} times in a row`
    messages.warn(`${unit} ${ended} (${state.why})${times}; it starts again in ${state.delayMs / 1_000} s`)
  }
  if (state.at === 'failed') {
    const spent = state.inARow === undefined ? '' : `: its restart budget of ${restartBudget} is spent`
    messages.error(`${unit} ended (${state.why}), and is not started again${spent}`)
  }
  if (state.at === 'finished') messages.success(`${unit} is done`)
  if (state.at === 'silent') {
    const next =
      livenessMs === Number.POSITIVE_INFINITY
        ? 'it gets no requests until it does'
        : `after ${livenessMs / 1_000} s (liveness_seconds) it is ended and started again`
    messages.warn(`${unit} gives no sign of life (process ${state.pid}); ${next}`)
  }
  if (state.at === 'ready' && was === 'silent') messages.success(`${unit} answers again (process ${state.pid})`)
  else if (state.at === 'ready' && (life > 1 ? isWorthTelling(endsInARow) : isLate)) {
    const where = state.url === undefined ? '' : ` at ${state.url}`
    messages.success(`${unit} is ready${life > 1 ? ' again' : ''}${where} (process ${state.pid})`)
  }
}

/** Of a loop of ends one learns by its first ones and now and then: ends 1, 2, 5, 10, and every tenth. What was stopped by somebody has none. */
function isWorthTelling(inARow: number): boolean {
  return [0, 1, 2, 5].includes(inARow) || inARow % 10 === 0
}

/** Shows which units are waited for while the platform stops. */
export function showStopping(reports: readonly UnitReport[], progress: Progress): void {
  const isOver = (at: UnitState['at']) => at === 'stopped' || at === 'finished' || at === 'failed'
  const waiting = reports.filter(({ state }) => !isOver(state.at)).map(({ unit }) => unit.name)
  if (waiting.length === 0) progress.end()
  else progress.show(`stopping (Ctrl-C again: at once), waiting for ${waiting.join(', ')}`)
}
