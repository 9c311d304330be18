import type { Unit } from './unit.ts'
import { changeover } from './unit-change.ts'

/** What it takes for running units to become others, by their names; each is in one of these lists at most, in the order in which it was given. */
export interface AppliedUnits {
  /** Run no more. */
  readonly gone: readonly string[]
  /** Were not there before. */
  readonly fresh: readonly string[]
  /** Are to be ended and started as they are now. */
  readonly changed: readonly string[]
  /** Can be told what has changed, before anything ends. */
  readonly told: readonly string[]
  /** Can be told too, but not before those have ended that still need them as they were. */
  readonly toldLast: readonly string[]
  /** All that go on running, as they are from now on. */
  readonly adopted: readonly Unit[]
}

/**
 * Compares what runs with what is to run.
 * @example appliedUnits([registry, shop], [registry, till]) // { gone: ['shop'], fresh: ['till'], adopted: [registry], … }
 */
export function appliedUnits(running: readonly Unit[], wanted: readonly Unit[]): AppliedUnits {
  const known = new Set(running.map(({ name }) => name))
  const next = new Map(wanted.map((unit) => [unit.name, unit]))
  const gone = running.filter(({ name }) => !next.has(name))
  const kept = running.flatMap((was) => {
    const unit = next.get(was.name)
    return unit ? [{ was, unit, by: changeover(was, unit) }] : []
  })
  const changed = kept.flatMap(({ was, by }) => (by === 'restart' ? [was] : []))
  const told = kept.flatMap(({ unit, by }) => (by === 'reload' ? [unit] : []))
  const needed = new Set([...gone, ...changed].flatMap(({ needs }) => needs))
  const isNeeded = ({ replicaOf }: Unit) => needed.has(replicaOf)
  return {
    gone: names(gone),
    fresh: names(wanted.filter(({ name }) => !known.has(name))),
    changed: names(changed),
    told: names(told.filter((unit) => !isNeeded(unit))),
    toldLast: names(told.filter(isNeeded)),
    adopted: kept.flatMap(({ unit, by }) => (by === 'restart' ? [] : [unit])),
  }
}

const names = (units: readonly Unit[]): readonly string[] => units.map(({ name }) => name)
