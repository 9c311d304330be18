import type { Places } from '../config/places.ts'

/** A move of a running platform to other places. */
export interface Cutover {
  readonly id: string
  readonly to: Places
  /** Milliseconds for which a role stays held without a word, until it asks for the verdict by itself. */
  readonly leaseMs: number
}

/** Where a role is in a cutover. */
export type RoleState =
  | { readonly at: 'serving' }
  /** Its requests under way and all else that it does come to an end. */
  | { readonly at: 'holding'; readonly cutover: Cutover; readonly since: number }
  /** It has nothing open on the old places. */
  | { readonly at: 'held'; readonly cutover: Cutover; readonly since: number }
  | { readonly at: 'beginning'; readonly cutover: Cutover; readonly on: Side }
  /** It could not begin; its process has to be started anew. */
  | { readonly at: 'failed' }

/** The places before a cutover, or those after. */
export type Side = 'old' | 'new'

/** What may happen to it; times are monotonic milliseconds. */
export type RoleEvent =
  | { readonly what: 'hold'; readonly cutover: Cutover; readonly now: number }
  /** All has come to an end. */
  | { readonly what: 'ended' }
  /** It could not be brought to an end in time, and goes on. */
  | { readonly what: 'kept' }
  | { readonly what: 'begin'; readonly id: string; readonly on: Side }
  | { readonly what: 'begun' }
  | { readonly what: 'failed' }

/** The next state; undefined for what can't happen in this one, which changes nothing. */
export function roleAfter(state: RoleState, event: RoleEvent): RoleState | undefined {
  switch (event.what) {
    case 'hold':
      return state.at === 'serving' ? { at: 'holding', cutover: event.cutover, since: event.now } : undefined
    case 'ended':
      return state.at === 'holding' ? { ...state, at: 'held' } : undefined
    case 'kept':
      return state.at === 'holding' ? { at: 'serving' } : undefined
    case 'begin':
      return state.at === 'held' && isOf(state, event.id)
        ? { at: 'beginning', cutover: state.cutover, on: event.on }
        : undefined
    case 'begun':
      return state.at === 'beginning' ? { at: 'serving' } : undefined
    case 'failed':
      return state.at === 'holding' || state.at === 'beginning' ? { at: 'failed' } : undefined
  }
}

/** Milliseconds until its lease is over, 0 when it is; undefined for one that is not held. */
export function leaseLeft(state: RoleState, now: number): number | undefined {
  if (state.at !== 'held') return undefined
  return Math.max(0, state.since + state.cutover.leaseMs - now)
}

function isOf(state: RoleState, id: string): boolean {
  return 'cutover' in state && state.cutover.id === id
}
