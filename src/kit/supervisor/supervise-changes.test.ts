import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { AppError } from '../errors.ts'
import { type LaunchRole, roleUnits } from './role-unit.ts'
import { neverReady, plan, run, theatre } from './testing/theatre.ts'

const never = new AbortController().signal

describe('a running supervision', () => {
  it('waits for a unit that does not get ready until nobody asks any more, and can stop it then', async () => {
    const { launch } = theatre()
    let isStuck = false
    const { ready, restart, halt, states, stop } = run(
      [plan('user'), plan('user-2')],
      neverReady(launch, () => isStuck),
    )
    await ready
    isStuck = true
    const gone = new AbortController()
    const asked = restart(['user', 'user-2'], { rolling: true }, gone.signal)
    await vi.waitUntil(() => states().get('user')?.at === 'starting', { timeout: 20_000 })
    gone.abort()
    await asked
    // of a rolling restart the rest is left as it is
    expect(states().get('user-2')).toMatchObject({ at: 'ready', instance: 'user-2/1' })
    await halt(['user'])
    expect(states().get('user')?.at).toBe('stopped')
    await stop()
  })

  it('stops a unit that it is asked to, starts it again on its port, and restarts it', async () => {
    const { launch, events } = theatre()
    const { ready, halt, start, restart, stop, states } = run([plan('user'), plan('registry')], launch)
    await ready
    await halt(['user'])
    expect(states().get('user')?.at).toBe('stopped')
    expect(states().get('registry')?.at).toBe('ready')
    await start(['user'], never)
    expect(states().get('user')).toMatchObject({ instance: 'user/2', url: 'http://127.0.0.1:41001' })
    await restart(['user'], { rolling: false }, never)
    expect(states().get('user')).toMatchObject({ instance: 'user/3', url: 'http://127.0.0.1:41001' })
    expect(events.filter((event) => event.endsWith('registry'))).toEqual(['launch registry', 'start registry'])
    await expect(start(['shop'], never)).rejects.toThrow('there is no unit shop')
    await stop()
  })

  it('takes a unit that is ready as soon as it runs for started once that has lasted, and not when it ends before', async () => {
    const { launch, crash } = theatre()
    const units = roleUnits(launch)
      .plan([plan('user')])
      .map((unit) => ({ ...unit, provenMs: 1_000 }))
    const { ready, halt, start, settle, states, until, stop } = run([], launch, { units })
    await ready
    await halt(['user'])
    const begun = performance.now()
    await start(['user'], never)
    expect(performance.now() - begun).toBeGreaterThan(900)
    await halt(['user'])
    const failing = start(['user'], never)
    await until(() => states().get('user')?.at === 'ready')
    crash('user')
    await expect(failing).rejects.toThrow('user did not get ready: SIGKILL')
    await settle(['user', 'nobody'], never)
    expect(states().get('user')?.at).toBe('backing-off')
    await stop()
  })

  it('restarts one after the other, and leaves the rest as it is when one does not come back', async () => {
    let breaks = false
    const { launch, events } = theatre((_, life) =>
      breaks && life > 2 ? new AppError('START_FAILED', 'port taken') : undefined,
    )
    const { ready, restart, stop } = run([plan('user'), plan('user-2')], launch)
    await ready
    events.length = 0
    await restart(['user', 'user-2'], { rolling: true }, never)
    expect(events).toEqual([
      ...['stop user', 'launch user', 'start user'],
      ...['stop user-2', 'launch user-2', 'start user-2'],
    ])
    breaks = true
    events.length = 0
    await expect(restart(['user', 'user-2'], { rolling: true }, never)).rejects.toMatchObject({ code: 'START_FAILED' })
    expect(events).not.toContain('stop user-2')
    await stop()
  })

  it('applies what has changed alone', async () => {
    const { launch, events } = theatre()
    const plans = [plan('user', ['registry']), plan('order', ['registry']), plan('registry')]
    const { ready, apply, reports, until, states, stop } = run(plans, launch)
    await ready
    events.length = 0
    const changed = { ...plan('order', ['registry']), job: { ...plan('order').job, registryUrl: 'http://127.0.0.1:2' } }
    const next = roleUnits(launch).plan([changed, plan('registry'), plan('payment', ['registry'])])
    expect(await apply(next)).toMatchObject({ started: ['payment'], stopped: ['user'], restarted: ['order'] })
    await until(() => [...states().values()].every(({ at }) => at === 'ready'))
    expect(events.filter((event) => event.endsWith('registry'))).toEqual([])
    expect(reports().map(({ unit: { name } }) => name)).toEqual(['order', 'registry', 'payment'])
    await stop()
    expect(events.at(-1)).toBe('stop registry')
  })

  it('starts who waits for one that never got ready, once that one is mended', async () => {
    const broken = neverReady(theatre().launch)
    const { launch } = theatre()
    const front = plan('front', ['stock'])
    const unitsOf = (which: LaunchRole) => {
      const [stock, ...rest] = [...roleUnits(which).plan([plan('stock')]), ...roleUnits(launch).plan([front])]
      return stock ? [{ ...stock, essential: false, definition: which === launch ? 'mended' : 'broken' }, ...rest] : []
    }
    const { ready, apply, states, until, stop } = run([], launch, { units: unitsOf(broken) })
    await until(() => states().get('stock')?.at === 'starting')
    expect(states().get('front')?.at).toBe('waiting')
    expect(await apply(unitsOf(launch))).toMatchObject({ restarted: ['stock'] })
    await ready
    expect(states().get('front')?.at).toBe('ready')
    await stop()
  })

  it('has started although what is essential was replaced before it ever got ready', async () => {
    const broken = neverReady(theatre().launch)
    const { launch } = theatre()
    const unitsOf = (which: LaunchRole) =>
      roleUnits(which)
        .plan([plan('stock')])
        .map((stock) => ({ ...stock, definition: which === launch ? 'mended' : 'broken' }))
    const { ready, apply, states, until, stop } = run([], launch, { units: unitsOf(broken) })
    await until(() => states().get('stock')?.at === 'starting')
    await apply(unitsOf(launch))
    await ready
    expect(states().get('stock')?.at).toBe('ready')
    await apply([])
    await stop()
  })

  it('goes on without a unit that is not essential, which says why', async () => {
    const { launch } = theatre((role) => (role === 'shop' ? new AppError('START_FAILED', 'no such folder') : undefined))
    const [shop, registry] = roleUnits(launch).plan([plan('shop'), plan('registry')])
    if (!shop || !registry) return expect.fail()
    const units = [{ ...shop, essential: false, afterEnd: () => 'failed' as const }, registry]
    const { ready, states, stop } = run([], launch, { units })
    await ready
    expect(states().get('shop')).toEqual({ at: 'failed', why: 'no such folder' })
    expect(states().get('registry')?.at).toBe('ready')
    await stop()
  })

  it('takes what ends sooner than it proves anything for what never got ready', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { launch, crash } = theatre()
    const [worker] = roleUnits(launch).plan([plan('worker')])
    if (!worker) return expect.fail()
    const { ready, changes, stop } = run([], launch, { units: [{ ...worker, provenMs: 1_000 }] })
    await ready
    const livedFor = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms)
      crash('worker')
      await vi.advanceTimersByTimeAsync(0)
      const { state } = changes.at(-1) ?? {}
      const delayMs = state?.at === 'backing-off' ? state.delayMs : Number.NaN
      await vi.advanceTimersByTimeAsync(delayMs)
      return delayMs
    }
    const delays: number[] = []
    for (const ms of [999, 999, 999, 999, 999, 1_000]) delays.push(await livedFor(ms))
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 100])
    await stop()
  })

  it('gives up one whose restart budget is spent, and starts it again when asked', async () => {
    let isBroken = true
    const { launch } = theatre(() => (isBroken ? new AppError('START_FAILED', 'no such file') : undefined))
    const [shop] = roleUnits(launch).plan([plan('shop')])
    if (!shop) return expect.fail()
    const units = [{ ...shop, essential: false, restartBudget: 2 }]
    const { states, until, reports, start, stop } = run([], launch, { units })
    await until(() => states().get('shop')?.at === 'failed')
    expect(states().get('shop')).toEqual({ at: 'failed', why: 'no such file', inARow: 3 })
    expect(reports()).toMatchObject([{ restarts: 2 }])
    isBroken = false
    await start(['shop'], never)
    expect(states().get('shop')?.at).toBe('ready')
    await stop()
  })

  it('stops what it can do without before what it is made of', async () => {
    const { launch, events } = theatre()
    const [shop, order, registry] = roleUnits(launch).plan([
      plan('shop'),
      plan('order', ['registry']),
      plan('registry'),
    ])
    if (!shop || !order || !registry) return expect.fail()
    const { ready, stop } = run([], launch, { units: [{ ...shop, essential: false }, order, registry] })
    await ready
    await stop()
    expect(events.filter((event) => event.startsWith('stop'))).toEqual(['stop shop', 'stop order', 'stop registry'])
  })

  it('takes one that is done for ready, for those who need it', async () => {
    const { launch, crash, events } = theatre()
    const [migration, shop] = roleUnits(launch).plan([plan('migration'), plan('shop', ['migration'])])
    if (!migration || !shop) return expect.fail()
    const job = {
      ...migration,
      afterEnd: (how: string) => (how === 'SIGKILL' ? ('finished' as const) : ('again' as const)),
    }
    const [stuck] = roleUnits(neverReady(launch)).plan([plan('migration')])
    if (!stuck) return expect.fail()
    const { ready, states, until, stop } = run([], launch, { units: [{ ...job, launch: stuck.launch }, shop] })
    await until(() => states().get('migration')?.at === 'starting')
    expect(events).not.toContain('start shop')
    crash('migration')
    await ready
    expect(states().get('migration')).toEqual({ at: 'finished' })
    expect(states().get('shop')?.at).toBe('ready')
    await stop()
  })
})
