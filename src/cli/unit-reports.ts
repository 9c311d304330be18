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

/** Tells the person what happens to a unit once it was ready: a line for each end and return. */
export function tellChange({ plan: { unit }, state, life }: UnitChange, messages: Messages): void {
  if (state.at === 'backing-off') {
    messages.warn(`${unit} ended (${state.why}); it starts again in ${state.delayMs / 1_000} s`)
  }
  if (state.at === 'ready' && life > 1) {
    messages.success(`${unit} is ready again at ${state.url} (process ${state.pid})`)
  }
}

/** Shows which units are waited for while the platform starts, or stops. */
export function showProgress(states: ReadonlyMap<string, UnitState>, isStopping: boolean, progress: Progress): void {
  const isWaitedFor = ({ at }: UnitState) => at !== 'stopped' && (isStopping || at !== 'ready')
  const waiting = [...states].filter(([, state]) => isWaitedFor(state)).map(([name]) => name)
  const done = isStopping
    ? 'stopping (Ctrl-C again: at once)'
    : `${states.size - waiting.length} of ${states.size} ready`
  if (waiting.length === 0) progress.end()
  else progress.show(`${done}, waiting for ${waiting.join(', ')}`)
}
