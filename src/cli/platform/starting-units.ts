import type { UnitChange, UnitReport, UnitState } from '../../kit/supervisor/unit-state.ts'
import type { UnitLine } from '../render/unit-lines.ts'

/** Measures how long units take to get ready. */
export interface StartTimes {
  note(change: Pick<UnitChange, 'unit' | 'state'>): void
  /** Milliseconds that a unit took, from its start to ready; undefined while it has not got there. */
  of(unit: string): number | undefined
}

/** Makes what measures it. @param now a clock that only goes forward, milliseconds */
export function createStartTimes(now: () => number): StartTimes {
  const begun = new Map<string, number>()
  const taken = new Map<string, number>()
  return {
    note({ unit: { name }, state }) {
      const from = begun.get(name)
      if (state.at === 'starting') begun.set(name, from ?? now())
      else begun.delete(name)
      if (state.at === 'ready' && from !== undefined) taken.set(name, Math.round(now() - from))
    },
    of: (unit) => taken.get(unit),
  }
}

/** How a unit looks in a state. */
export const LOOKS: Readonly<Record<UnitState['at'], UnitLine['is']>> = {
  waiting: 'waiting',
  starting: 'busy',
  ready: 'ready',
  silent: 'failed',
  'backing-off': 'failed',
  finished: 'done',
  failed: 'failed',
  stopped: 'done',
}

/**
 * How each unit stands, in a few words, in the order in which they were given.
 * @param times how long the ready ones took. Default: that isn't told
 */
export function startingUnits(reports: readonly UnitReport[], times?: Pick<StartTimes, 'of'>): readonly UnitLine[] {
  const missing = new Set(reports.flatMap(({ unit, state }) => (wasReady(state) ? [] : [unit.replicaOf])))
  return reports.map(({ unit: { name, needs, restartBudget: budget }, state, ended }) => ({
    name,
    is: LOOKS[state.at],
    words: wordsOf(state, { needs: needs.filter((need) => missing.has(need)), took: times?.of(name), ended, budget }),
  }))
}

const wasReady = (state: UnitState): boolean =>
  state.at === 'ready' ||
  state.at === 'silent' ||
  state.at === 'finished' ||
  ('last' in state && state.last !== undefined)

interface Circumstances {
  readonly needs: readonly string[]
  readonly took: number | undefined
  readonly ended: string | undefined
  readonly budget: number
}

function wordsOf(state: UnitState, { needs, took, ended, budget }: Circumstances): string {
  switch (state.at) {
    case 'waiting':
      return needs.length === 0 ? 'starting' : `waiting for ${needs.join(', ')}`
    case 'starting':
      return `${state.doing ?? 'starting'}${ended === undefined ? '' : ` (again: ${ended})`}`
    case 'ready':
      return took === undefined ? 'ready' : `ready in ${took} ms`
    case 'silent':
      return 'gives no sign of life'
    case 'backing-off':
      return `failed: ${state.why}; again in ${state.delayMs / 1_000} s${timesOf(state.inARow, budget)}`
    case 'finished':
      return 'done'
    case 'failed':
      return state.inARow === undefined
        ? `failed: ${state.why}`
        : `failed ${state.inARow} times in a row: ${state.why}; its restart budget of ${budget} is spent`
    case 'stopped':
      return 'stopped'
  }
}

/** How much of a restart budget the next start takes, or how many ends in a row there were. */
function timesOf(inARow: number, budget: number): string {
  if (budget !== Number.POSITIVE_INFINITY) return ` (restart ${inARow} of ${budget})`
  return inARow > 1 ? ` (${inARow} times in a row)` : ''
}
