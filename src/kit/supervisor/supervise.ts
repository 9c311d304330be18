import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import { behindRole } from '../part-words.ts'
import { aborted, pause } from '../pause.ts'
import { type Ends, endsAfter, NO_ENDS, restartDelay } from './backoff.ts'
import { endOf } from './liveness.ts'
import type { Job, Launch, Member, Started } from './member.ts'
import { reasonOf, startFailure } from './reason.ts'
import { wavesOf } from './waves.ts'

/** One copy of a role that is to run. */
export interface UnitPlan {
  /** Its own name: the role's CLI word, with a number from the second copy on (`user-2`). */
  readonly unit: string
  /** CLI words of the roles that must be ready first. */
  readonly needs: readonly string[]
  readonly job: Job
}

/** Where a unit is in its life; `last`: what it was when it was ready, and where. */
export type UnitState =
  | { readonly at: 'waiting' }
  | { readonly at: 'starting'; readonly last?: Started }
  | ({ readonly at: 'ready'; readonly pid: number } & Started)
  /** It was ready, and gives no sign of life. */
  | ({ readonly at: 'silent'; readonly pid: number } & Started)
  | { readonly at: 'backing-off'; readonly delayMs: number; readonly why: string; readonly last?: Started }
  | { readonly at: 'stopped' }

/** A unit that came into another state. */
export interface UnitChange {
  readonly plan: UnitPlan
  readonly state: UnitState
  /** Where it was before. */
  readonly was: UnitState['at']
  /** How often it has been launched; above 1 it is back after an end. */
  readonly life: number
}

export interface SuperviseOptions {
  readonly plans: readonly UnitPlan[]
  readonly launch: Launch
  readonly clock: Clock
  /** Asked before each start: gives what the unit is to start with, as soon as it may; never rejects. Default: what was planned, at once. */
  readonly admit?: (job: Job) => Promise<Job>
  /** Told of every change of state, in order. */
  readonly onChange: (change: UnitChange) => void
  /** Told of a copy that ended by itself, before the next one is started: the registry must forget it. Waited for up to half a second. */
  readonly onLost: (lost: Started) => Promise<void>
}

/** A running platform. */
export interface Supervision {
  /** Resolves when every unit has been ready once. Rejects, all stopped again, when one refuses to start or `stop` was called. */
  readonly ready: Promise<void>
  states(): ReadonlyMap<string, UnitState>
  /** The process of each unit, as long as it lives. */
  members(): ReadonlyMap<string, Member>
  /** Stops everything, in reverse order of starting; what has not ended in time is killed. May be called twice. */
  stop(): Promise<void>
}

/** Time beyond the drain after which a unit is killed, milliseconds. */
const KILL_AFTER_MS = 2_000
const FORGET_MS = 500
/** How many times as long as a ready unit one may be silent that starts: repairing a large database keeps it from answering. */
const STARTING_PATIENCE = 10

/** How one life of a unit went. */
interface Life {
  readonly why: string
  /** Absent when it never became ready. */
  readonly ready?: { readonly ms: number; readonly started: Started }
}

/** What a unit's earlier lives leave to the next. */
interface Past {
  readonly last?: Started
  /** Why the last one ended. */
  readonly after?: string
  /** Resolves when the registry has forgotten it, or was given time enough. */
  readonly forgotten?: Promise<void>
}

/**
 * Runs units: launches all at once, starts each when what it needs is ready, starts again what ends by itself (backoff.ts) or
 * hangs (liveness.ts), and stops in reverse order. A unit that refuses to start before the platform was ready once stops it all: the person who starts it must know.
 */
export function supervise(options: SuperviseOptions): Supervision {
  const { plans, launch, clock, onChange, onLost, admit = async (job: Job) => job } = options
  const waves = wavesOf(rolesOf(plans))
  const states = new Map<string, UnitState>(plans.map(({ unit }) => [unit, { at: 'waiting' }]))
  const members = new Map<string, Member>()
  const firstReady = new Map(plans.map(({ unit }) => [unit, Promise.withResolvers<void>()]))
  const stopping = new AbortController()
  const whenStopping = aborted(stopping.signal)
  const failed = Promise.withResolvers<never>()
  let wasReady = false
  let stopped: Promise<void> | undefined

  function change(plan: UnitPlan, life: number, state: UnitState) {
    const was = states.get(plan.unit)?.at ?? 'waiting'
    states.set(plan.unit, state)
    onChange({ plan, life, state, was })
  }

  /** One life of a unit, from launch to its end; it boots while the registry is told of the one before it. */
  async function live(plan: UnitPlan, life: number, { last, after, forgotten }: Past): Promise<Life> {
    const member = launch(plan.job.role, plan.unit)
    members.set(plan.unit, member)
    let isReady = false
    const longestMs = plan.job.settings.liveness_seconds * 1_000
    const end = endOf(member, {
      longestMs: () => (isReady ? longestMs : longestMs * STARTING_PATIENCE),
      onSilence(isSilent) {
        const state = states.get(plan.unit)
        if (state?.at === 'ready' || state?.at === 'silent')
          change(plan, life, { ...state, at: isSilent ? 'silent' : 'ready' })
      },
    })
    const admitted = Promise.all([needsOf(plan), forgotten]).then(() => admit(plan.job))
    const job = (await Promise.race([admitted, member.exited.then(() => plan.job), whenStopping])) ?? plan.job
    if (stopping.signal.aborted) return { why: await end }
    change(plan, life, { at: 'starting', ...(last && { last }) })
    let started: Started
    try {
      started = await member.start({ ...job, ...(after !== undefined && { after }) })
    } catch (thrown) {
      const vanished = thrown instanceof AppError && thrown.code === 'UNAVAILABLE'
      member.kill()
      if (!vanished && !wasReady) {
        failed.reject(startFailure(plan.unit, thrown))
        // it isn't started again: all is stopped by the next turn
        await pause(0, stopping.signal)
      }
      return { why: vanished ? await end : behindRole(reasonOf(thrown)) }
    }
    const since = clock.monotonic()
    isReady = true
    change(plan, life, { at: 'ready', pid: member.pid, ...started })
    firstReady.get(plan.unit)?.resolve()
    const why = await end
    return { why, ready: { ms: clock.monotonic() - since, started } }
  }

  async function forget(lost: Started): Promise<void> {
    if (stopping.signal.aborted) return
    await Promise.race([onLost(lost).catch(() => {}), pause(FORGET_MS, stopping.signal)])
  }

  async function keep(plan: UnitPlan): Promise<void> {
    let ends: Ends = NO_ENDS
    let life = 0
    let next = plan
    let past: Past = {}
    while (!stopping.signal.aborted) {
      const { why, ready } = await live(next, ++life, past)
      if (ready) {
        next = onPortOf(plan, ready.started.url)
        past = { last: ready.started, forgotten: forget(ready.started) }
      }
      if (stopping.signal.aborted) break
      past = { ...past, after: why }
      ends = endsAfter(ends, ready?.ms)
      const delayMs = restartDelay(ends)
      change(plan, life, { at: 'backing-off', delayMs, why, ...(past.last && { last: past.last }) })
      await pause(delayMs, stopping.signal)
    }
    change(plan, life, { at: 'stopped' })
  }

  async function needsOf({ needs }: UnitPlan): Promise<void> {
    const needed = plans.filter(({ job }) => needs.includes(job.role))
    await Promise.all(needed.map(({ unit }) => firstReady.get(unit)?.promise))
  }

  async function stopAll(): Promise<void> {
    stopping.abort(new AppError('STOPPING', 'The platform is stopping'))
    // before it was ready as a whole there are no requests to wait for
    const drainMs = wasReady ? Math.max(0, ...plans.map(({ job }) => job.settings.drain_seconds * 1_000)) : 0
    const end = clock.monotonic() + drainMs + KILL_AFTER_MS
    const over = new AbortController()
    const deadline = setTimeout(() => {
      for (const member of members.values()) member.kill()
    }, drainMs + KILL_AFTER_MS)
    for (const wave of waves.toReversed()) {
      const leaving = plans.filter(({ job }) => wave.includes(job.role))
      for (const { unit } of leaving) {
        const member = members.get(unit)
        if (states.get(unit)?.at === 'silent') member?.kill()
        else member?.stop()
      }
      // one stream that doesn't end must not eat up the time of those who come after
      const patience = pause((end - clock.monotonic()) / 2, over.signal)
      await Promise.race([Promise.all(leaving.map(({ unit }) => members.get(unit)?.exited)), patience])
    }
    await Promise.all(lives)
    clearTimeout(deadline)
    over.abort()
  }

  const stop = () => (stopped ??= stopAll())
  const lives = plans.map((plan) => keep(plan))
  const allReady = Promise.all(plans.map(({ unit }) => firstReady.get(unit)?.promise))
  const ready = Promise.race([
    allReady,
    failed.promise,
    whenStopping.then(() => Promise.reject(stopping.signal.reason)),
  ]).then(
    () => {
      wasReady = true
    },
    async (fault: unknown) => {
      await stop()
      throw fault
    },
  )
  return { ready, states: () => states, members: () => members, stop }
}

function rolesOf(plans: readonly UnitPlan[]) {
  return [...new Map(plans.map(({ job, needs }) => [job.role, { name: job.role, needs }])).values()]
}

/** A copy that is started again keeps the port it was given, so that whoever has its address finds it there. */
function onPortOf(plan: UnitPlan, url: string): UnitPlan {
  const section = { ...plan.job.section, port: Number(new URL(url).port) }
  return { ...plan, job: { ...plan.job, section } }
}
