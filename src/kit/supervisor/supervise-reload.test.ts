import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { AppError } from '../errors.ts'
import type { Step } from './protocol.ts'
import { type LaunchRole, type RolePlan, roleUnits } from './role-unit.ts'
import { plan, run, theatre } from './testing/theatre.ts'

/** A role that takes its routes while it runs, and needs nothing by default. */
function gatewayPlan(routes: string, more: Partial<RolePlan> = {}): RolePlan {
  const { job, ...rest } = plan('gateway')
  return { ...rest, job: { ...job, section: { ...job.section, routes, cors: 'none' } }, reloads: ['routes'], ...more }
}

const toldTo = (unit: string, routes: string) => [unit, { step: 'reload', changes: { routes } }]

/** Starts a supervision of plans; `changeTo` applies others, `told` holds what units were told while they ran, `began` with which routes they began. */
async function stage(plans: readonly RolePlan[], answer: (unit: string, step: Step) => Promise<void> = async () => {}) {
  const told: [string, Step][] = []
  const began: unknown[] = []
  const { launch, events, crash, hanging } = theatre(undefined, (unit, step) => {
    told.push([unit, step])
    return answer(unit, step)
  })
  const noted: LaunchRole = (role, unit) => {
    const launched = launch(role, unit)
    return {
      ...launched,
      start(job) {
        if (role === 'gateway') began.push(job.section.routes)
        return launched.start(job)
      },
    }
  }
  const roles = roleUnits(noted)
  const running = run([], noted, { units: roles.plan(plans) })
  onTestFinished(() => running.stop())
  await running.ready
  events.length = 0
  return {
    ...running,
    events,
    told,
    began,
    crash,
    hanging,
    changeTo: (next: readonly RolePlan[]) => running.apply(roles.plan(next)),
  }
}

describe('a unit that takes settings while it runs', () => {
  it('is told when nothing else has changed, and left alone when nothing has', async () => {
    const { changeTo, told, events, states } = await stage([gatewayPlan('a'), plan('user')])
    expect(await changeTo([gatewayPlan('a'), plan('user')])).toMatchObject({ reloaded: [], restarted: [] })
    expect(await changeTo([gatewayPlan('b'), plan('user')])).toEqual({
      started: [],
      stopped: [],
      restarted: [],
      reloaded: ['gateway'],
      notes: [],
      pending_restart: [],
      unready: [],
    })
    expect(told).toEqual([toldTo('gateway', 'b')])
    expect(events).toEqual(['reload gateway'])
    expect(states().get('gateway')).toMatchObject({ at: 'ready', instance: 'gateway/1' })
  })

  it('is restarted when more has changed', async () => {
    const { changeTo, told, began, until, states } = await stage([gatewayPlan('a')])
    const { job } = gatewayPlan('b')
    const next = gatewayPlan('b', { job: { ...job, section: { ...job.section, cors: 'all' } } })
    expect(await changeTo([next])).toMatchObject({ reloaded: [], restarted: ['gateway'] })
    await until(() => states().get('gateway')?.at === 'ready')
    expect([told, began]).toEqual([[], ['a', 'b']])
  })

  it('is not restarted for places, which whoever moves the platform tells it', async () => {
    const { changeTo, events } = await stage([gatewayPlan('a')])
    const { job } = gatewayPlan('a')
    const next = gatewayPlan('a', { job: { ...job, settings: { ...job.settings, store: 'postgres://db/shop' } } })
    expect(await changeTo([next])).toMatchObject({ restarted: [] })
    expect(events).toEqual([])
  })

  it('is restarted when it can not take them, which is told, and so it has them', async () => {
    const { changeTo, began, until, states } = await stage([gatewayPlan('a'), plan('user')], async () => {
      throw new AppError('CONFLICT', 'port 7001 is taken')
    })
    expect(await changeTo([gatewayPlan('b'), plan('user')])).toMatchObject({
      restarted: ['gateway'],
      reloaded: [],
      notes: ['gateway could not be reloaded: port 7001 is taken'],
    })
    await until(() => states().get('gateway')?.at === 'ready')
    expect(began).toEqual(['a', 'b'])
  })

  it('is restarted when it gives no answer', async () => {
    const { changeTo } = await stage([gatewayPlan('a')], () => new Promise(() => {}))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const changing = changeTo([gatewayPlan('b')])
    await vi.advanceTimersByTimeAsync(2_000)
    vi.useRealTimers()
    expect(await changing).toMatchObject({
      restarted: ['gateway'],
      notes: ['gateway could not be reloaded: it gives no answer'],
    })
  })

  it('begins with them after an end, also one that came while it was told', async () => {
    const { changeTo, crash, began, until, changes } = await stage([gatewayPlan('a')], async () => {
      crash('gateway')
      throw new AppError('UNAVAILABLE', 'ended with SIGKILL')
    })
    expect(await changeTo([gatewayPlan('b')])).toMatchObject({ restarted: [], reloaded: [], notes: [] })
    await until(() => changes.filter(({ state }) => state.at === 'ready').length === 2)
    expect(began).toEqual(['a', 'b'])
  })

  it('begins with them when it was stopped, and stays so until then', async () => {
    const { changeTo, halt, start, told, began, states } = await stage([gatewayPlan('a')])
    await halt(['gateway'])
    expect(await changeTo([gatewayPlan('b')])).toMatchObject({ started: [], restarted: [], reloaded: [] })
    expect(states().get('gateway')?.at).toBe('stopped')
    await start(['gateway'], new AbortController().signal)
    expect([told, began]).toEqual([[], ['a', 'b']])
  })

  it('is told as soon as it is ready when they came while it started', async () => {
    const { launch, events } = theatre()
    const go = Promise.withResolvers<void>()
    const slow: LaunchRole = (role, unit) => {
      const launched = launch(role, unit)
      return { ...launched, start: (job) => go.promise.then(() => launched.start(job)) }
    }
    const roles = roleUnits(slow)
    const { apply, ready, states, stop } = run([], slow, { units: roles.plan([gatewayPlan('a')]) })
    onTestFinished(stop)
    await vi.waitUntil(() => states().get('gateway')?.at === 'starting', { timeout: 20_000 })
    expect(await apply(roles.plan([gatewayPlan('b')]))).toMatchObject({ restarted: [], reloaded: [] })
    go.resolve()
    await ready
    expect(events).toEqual(['launch gateway', 'start gateway', 'reload gateway'])
  })

  it('that others need as they end is told behind them, and before what is new starts', async () => {
    const outbound = (doors: string): RolePlan => {
      const { job, ...rest } = plan('outbound')
      return { ...rest, job: { ...job, section: { ...job.section, doors } }, reloads: ['doors'] }
    }
    const { changeTo, events, until, states } = await stage([
      gatewayPlan('a'),
      outbound('a'),
      plan('shop', ['outbound']),
    ])
    const next = [gatewayPlan('b'), outbound('b'), plan('till', ['outbound'])]
    expect(await changeTo(next)).toMatchObject({
      started: ['till'],
      stopped: ['shop'],
      reloaded: ['gateway', 'outbound'],
    })
    await until(() => states().get('till')?.at === 'ready')
    expect(events).toEqual(['reload gateway', 'stop shop', 'reload outbound', 'launch till', 'start till'])
  })
})
