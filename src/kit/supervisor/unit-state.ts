import type { Started, Unit } from './unit.ts'

/** Where a unit is in its life; `last`: what it was when it was ready, and where. */
export type UnitState =
  /** For what it needs. */
  | { readonly at: 'waiting' }
  /** `doing`: what takes it so long, in its own words. */
  | { readonly at: 'starting'; readonly pid?: number; readonly doing?: string; readonly last?: Started }
  | ({ readonly at: 'ready'; readonly pid: number } & Started)
  /** It was ready, and gives no sign of life. */
  | ({ readonly at: 'silent'; readonly pid: number } & Started)
  /** `inARow`: how many ends there were without 10 s of readiness between them. */
  | {
      readonly at: 'backing-off'
      readonly delayMs: number
      readonly why: string
      readonly inARow: number
      readonly last?: Started
    }
  /** It has done what it was for. */
  | { readonly at: 'finished' }
  /** It ended, and is not to be started again; `inARow` where that is because its restart budget is spent. */
  | { readonly at: 'failed'; readonly why: string; readonly inARow?: number }
  /** As somebody asked, or with the platform. */
  | { readonly at: 'stopped' }

/** A unit that came into another state. */
export interface UnitChange {
  readonly unit: Unit
  readonly state: UnitState
  /** Where it was before. */
  readonly was: UnitState['at']
  /** How often it has been launched; above 1 it is back after an end. */
  readonly life: number
  /** How many of its ends there were before it without 10 s of readiness between them. */
  readonly endsInARow: number
}

/** A unit as it stands, and what it has been through. */
export interface UnitReport {
  readonly unit: Unit
  readonly state: UnitState
  /** How often it was launched again after it had ended by itself. */
  readonly restarts: number
  /** When it came into its state, milliseconds since 1970; a ready one that was silent for a while is ready all the time. */
  readonly since: number
  /** Why it last ended by itself. Absent: it never did. */
  readonly ended?: string
}

/** For how long a unit that is ready has yet to run until it counts as that, milliseconds. @param now milliseconds since 1970 */
export function unprovenFor({ unit: { provenMs }, state, since }: UnitReport, now: number): number {
  // a clock that was set back proves nothing
  return state.at === 'ready' ? Math.max(0, provenMs - Math.max(0, now - since)) : 0
}

/** Whether there is nothing to wait for of a start: it is ready, has ended, or failed. */
export const isDecided = ({ at }: UnitState): boolean => at !== 'waiting' && at !== 'starting'

/** Whether it is there, although it may be silent. */
export const isUp = (at: UnitState['at']): boolean => at === 'ready' || at === 'silent'
