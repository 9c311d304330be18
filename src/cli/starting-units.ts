import type { UnitChange, UnitReport, UnitState } from '../kit/supervisor/unit-state.ts'
import type { UnitLine } from './render/unit-lines.ts'

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

/**
 * How each unit stands, in a few words, in the order in which they were given.
 * @param times how long the ready ones took. Default: that isn't told
 */
export function startingUnits(reports: readonly UnitReport[], times?: Pick<StartTimes, 'of'>): readonly UnitLine[] {
  const missing = new Set(reports.flatMap(({ unit, state }) => (wasReady(state) ? [] : [unit.replicaOf])))
  return reports.map(({ unit: { name, needs }, state, ended }) => ({
    name,
    ...lineOf(state, { needs: needs.filter((need) => missing.has(need)), took: times?.of(name), ended }),
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
}

function lineOf(state: UnitState, { needs, took, ended }: Circumstances): Pick<UnitLine, 'is' | 'words'> {
  switch (state.at) {
    case 'waiting':
      if (needs.length === 0) return { is: 'busy', words: 'starting' }
      return { is: 'waiting', words: `waiting for ${needs.join(', ')}` }
    case 'starting': {
      const again = ended === undefined ? '' : ` (again: ${ended})`
      return { is: 'busy', words: `${state.doing ?? 'starting'}${again}` }
    }
    case 'ready':
      return { is: 'ready', words: took === undefined ? 'ready' : `ready in ${took} ms` }
    case 'silent':
      return { is: 'failed', words: 'gives no sign of life' }
    case 'backing-off':
      return { is: 'failed', words: `failed: ${state.why}; again in ${state.delayMs / 1_000} s` }
    case 'finished':
      return { is: 'done', words: 'done' }
    case 'failed':
      return { is: 'failed', words: `failed: ${state.why}` }
    case 'stopped':
      return { is: 'done', words: 'stopped' }
  }
}
