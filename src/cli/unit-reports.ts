import type { Supervision, UnitChange, UnitState } from '../kit/supervisor/supervise.ts'
import type { Messages } from './messages.ts'
import type { Progress } from './progress.ts'
import type { RunState } from './run-state.ts'

/** Who is ready now, in the order of the plan. */
export function readyUnits(states: ReturnType<Supervision['states']>): RunState['roles'] {
  return [...states].flatMap(([unit, state]) =>
    state.at === 'ready'
      ? [{ unit, role: unit.replace(/-\d+$/, ''), service: state.service, url: state.url, pid: state.pid }]
      : [],
  )
}

/** Tells the person what happens to the units: progress while the platform starts, a line for each end and return afterwards. */
export function tellChange(
  { plan: { unit }, state, life }: UnitChange,
  states: ReadonlyMap<string, UnitState>,
  messages: Messages,
  progress: Progress,
): void {
  if (state.at === 'backing-off') {
    messages.warn(`${unit} ended (${state.why}); it starts again in ${state.delayMs / 1_000} s`)
  }
  if (state.at === 'ready' && life > 1) {
    messages.success(`${unit} is ready again at ${state.url} (process ${state.pid})`)
  }
  const waiting = [...states].filter(([, { at }]) => at !== 'ready' && at !== 'stopped').map(([name]) => name)
  const ready = states.size - waiting.length
  if (waiting.length === 0) progress.end()
  else progress.show(`${ready} of ${states.size} ready, waiting for ${waiting.join(', ')}`)
}
