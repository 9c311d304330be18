import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { Platform } from '../config/schema.ts'
import { AppError } from '../errors.ts'
import { type LaunchedRole, type LaunchRole, type RolePlan, roleUnits } from './role-unit.ts'
import { type SuperviseOptions, supervise } from './supervise.ts'
import type { Started } from './unit.ts'
import type { UnitChange } from './unit-state.ts'

const settings = Platform.parse({ drain_seconds: 0 })

const plan = (unit: string, needs: readonly string[] = []): RolePlan => ({
  unit,
  needs,
  job: {
    role: unit.replace(/-\d+$/, ''),
    settings,
    section: { host: '127.0.0.1', port: 0 },
    registryUrl: 'http://127.0.0.1:1',
  },
})

/** A launcher of roles that do as the test says, and what happened to them, in order. */
function theatre(refuse: (role: string, life: number) => AppError | undefined = () => undefined) {
  const events: string[] = []
  const why: (string | undefined)[] = []
  const lives = new Map<string, number>()
  const crash = new Map<string, () => void>()
  const hanging = new Set<string>()
  const launch: LaunchRole = (role, unit) => {
    const life = (lives.get(unit) ?? 0) + 1
    lives.set(unit, life)
    events.push(`launch ${unit}`)
    const ended = Promise.withResolvers<string>()
    crash.set(unit, () => ended.resolve('SIGKILL'))
    const launched: LaunchedRole = {
      pid: 1,
      async start({ section, after }): Promise<Started> {
        const fault = refuse(role, life)
        if (fault) throw fault
        events.push(`start ${unit}`)
        why.push(after)
        const port = section.port || 41_000
        return {
          service: `${role}-service`,
          instance: `${unit}/${life}`,
          url: `http://127.0.0.1:${port + (section.port ? 0 : life)}`,
          advertised: `http://127.0.0.1:${port + (section.port ? 0 : life)}`,
        }
      },
      take: async () => {},
      probe: () => (hanging.has(unit) ? new Promise(() => {}) : Promise.resolve()),
      stop() {
        events.push(`stop ${unit}`)
        ended.resolve('exit code 0')
      },
      kill() {
        hanging.delete(unit)
        ended.resolve('SIGKILL')
      },
      exited: ended.promise,
    }
    return launched
  }
  return { events, why, launch, crash: (unit: string) => crash.get(unit)?.(), hanging }
}

function run(plans: readonly RolePlan[], launch: LaunchRole, options: Partial<SuperviseOptions> = {}) {
  const changes: UnitChange[] = []
  const watchers = new Set<() => void>()
  const supervision = supervise({
    units: roleUnits(launch).plan(plans),
    clock: systemClock,
    onLost: async () => {},
    onChange: (change) => {
      changes.push(change)
      for (const watcher of watchers) watcher()
    },
    ...options,
  })
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!holds()) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
      look()
    })
  return { ...supervision, changes, until }
}

describe('supervise', () => {
  it('launches all at once, starts in the order of needs, stops in reverse', async () => {
    const { events, launch } = theatre()
    const plans = [
      plan('gateway', ['user']),
      plan('user', ['registry']),
      plan('user-2', ['registry']),
      plan('registry'),
    ]
    const { ready, stop, states } = run(plans, launch)
    await ready
    expect([...states().values()].map(({ at }) => at)).toEqual(['ready', 'ready', 'ready', 'ready'])
    await stop()
    expect(events).toEqual([
      ...['launch gateway', 'launch user', 'launch user-2', 'launch registry'],
      ...['start registry', 'start user', 'start user-2', 'start gateway'],
      ...['stop gateway', 'stop user', 'stop user-2', 'stop registry'],
    ])
  })

  it('starts again what ends by itself, after telling that it is lost', async () => {
    const { launch, crash, why } = theatre()
    const lost: string[] = []
    const onLost = async ({ instance }: Started) => void lost.push(instance)
    const { ready, stop, states, reports, changes, until } = run([plan('user'), plan('registry')], launch, { onLost })
    await ready
    crash('user')
    await until(
      () => changes.filter(({ state, unit: { name } }) => name === 'user' && state.at === 'ready').length === 2,
    )
    expect(lost).toEqual(['user/1'])
    // the first two are the first of their kind
    expect(why).toEqual([undefined, undefined, 'SIGKILL'])
    expect(states().get('user')).toMatchObject({ at: 'ready', instance: 'user/2' })
    expect(changes.find(({ state }) => state.at === 'backing-off')?.state).toMatchObject({
      delayMs: 100,
      why: 'SIGKILL',
    })
    expect(reports()).toMatchObject([
      { unit: { name: 'user' }, state: { at: 'ready' }, restarts: 1, ended: 'SIGKILL' },
      { unit: { name: 'registry' }, state: { at: 'ready' }, restarts: 0 },
    ])
    expect(reports()[1]).not.toHaveProperty('ended')
    await stop()
  })

  it('boots the next copy while the registry is told of the end, and starts it afterwards', async () => {
    const { launch, crash, events } = theatre()
    const told = Promise.withResolvers<void>()
    const { ready, stop, until, states } = run([plan('user')], launch, { onLost: () => told.promise })
    await ready
    crash('user')
    await vi.waitUntil(() => events.filter((event) => event === 'launch user').length === 2)
    expect(events.filter((event) => event === 'start user')).toHaveLength(1)
    told.resolve()
    await until(() => states().get('user')?.at === 'ready')
    await stop()
  })

  it('has what was ready back within 2 s, whatever came before', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const died = new AppError('UNAVAILABLE', 'ended with SIGSEGV')
    const { launch, crash } = theatre((_, life) => (life < 9 ? died : undefined))
    const { ready, stop, states } = run([plan('user')], launch)
    await vi.advanceTimersByTimeAsync(60_000)
    await ready
    for (let kill = 0; kill < 12; kill++) {
      crash('user')
      await vi.advanceTimersByTimeAsync(0)
      expect(states().get('user')?.at).toBe('backing-off')
      await vi.advanceTimersByTimeAsync(600)
      expect(states().get('user')?.at).toBe('ready')
    }
    await stop()
  })

  it('ends and starts again what gives no sign of life, and says so meanwhile', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { launch, hanging } = theatre()
    const { ready, stop, states, reports, changes } = run([plan('user')], launch)
    await ready
    const readySince = reports()[0]?.since
    hanging.add('user')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(states().get('user')).toMatchObject({ at: 'silent', instance: 'user/1' })
    hanging.delete('user')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(states().get('user')).toMatchObject({ at: 'ready', instance: 'user/1' })
    expect(reports()[0]?.since).toBe(readySince)
    hanging.add('user')
    await vi.advanceTimersByTimeAsync(33_000)
    expect(states().get('user')).toMatchObject({ at: 'ready', instance: 'user/2' })
    expect(changes.find(({ state }) => state.at === 'backing-off')?.state).toMatchObject({
      why: 'no sign of life for 30 s',
      last: { instance: 'user/1' },
    })
    hanging.add('user')
    await vi.advanceTimersByTimeAsync(5_000)
    // nothing of it can be waited for
    await stop()
  })

  it('gives a unit that starts ten times as long', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { launch, hanging } = theatre()
    const stuck: LaunchRole = (role, unit) => {
      const launched = launch(role, unit)
      const start = () => launched.exited.then((how) => Promise.reject(new AppError('UNAVAILABLE', how)))
      return { ...launched, start }
    }
    hanging.add('user')
    const { ready, stop, changes } = run([plan('user')], stuck)
    const refused = expect(ready).rejects.toMatchObject({ code: 'STOPPING' })
    await vi.advanceTimersByTimeAsync(299_000)
    expect(changes.map(({ state }) => state.at)).toEqual(['starting'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(changes[1]?.state).toMatchObject({ at: 'backing-off', why: 'no sign of life for 300 s' })
    await Promise.all([stop(), refused])
  })

  it('starts a copy again on the port it was given', async () => {
    const { launch, crash } = theatre()
    const { ready, stop, changes, until } = run([plan('user')], launch)
    await ready
    const readyAt = () => changes.flatMap(({ state }) => (state.at === 'ready' ? [state.url] : []))
    crash('user')
    await until(() => readyAt().length === 2)
    expect(readyAt()).toEqual(['http://127.0.0.1:41001', 'http://127.0.0.1:41001'])
    await stop()
  })

  it('keeps trying a role that crashes while starting, and the others stay', async () => {
    const died = new AppError('UNAVAILABLE', 'ended with SIGSEGV')
    const { launch, events } = theatre((role, life) => (role === 'user' && life < 3 ? died : undefined))
    const { ready, stop } = run([plan('user'), plan('registry')], launch)
    await ready
    await stop()
    expect(events.filter((event) => event === 'launch user')).toHaveLength(3)
    expect(events.filter((event) => event === 'launch registry')).toHaveLength(1)
  })

  it('stops all when a role refuses to start', async () => {
    const taken = new AppError('START_FAILED', 'port 8001 is taken')
    const { launch, events } = theatre((role) => (role === 'user' ? taken : undefined))
    const { ready, states, changes } = run(
      [plan('gateway', ['user']), plan('user', ['registry']), plan('registry')],
      launch,
    )
    await expect(ready).rejects.toMatchObject({ code: 'START_FAILED', message: 'user: port 8001 is taken' })
    // nobody is told of a start that there won't be
    expect(changes.filter(({ state }) => state.at === 'backing-off')).toEqual([])
    expect(events.filter((event) => event.startsWith('stop'))).toEqual(['stop gateway', 'stop user', 'stop registry'])
    expect([...states().values()].map(({ at }) => at)).toEqual(['stopped', 'stopped', 'stopped'])
  })

  it('can be stopped in the middle of starting', async () => {
    const { launch } = theatre()
    const hanging: LaunchRole = (role, unit) => {
      const launched = launch(role, unit)
      const start = () => launched.exited.then((how) => Promise.reject(new AppError('UNAVAILABLE', how)))
      return role === 'registry' ? { ...launched, start } : launched
    }
    const { ready, stop, states, until } = run([plan('user', ['registry']), plan('registry')], hanging)
    const refused = expect(ready).rejects.toMatchObject({ code: 'STOPPING' })
    await until(() => states().get('registry')?.at === 'starting')
    await Promise.all([stop(), refused])
    expect([...states().values()].map(({ at }) => at)).toEqual(['stopped', 'stopped'])
  })

  it('does not let one that will not stop hold up the others, and kills it in the end', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { launch, events } = theatre()
    const stubborn: LaunchRole = (role, unit) =>
      role === 'gateway' ? { ...launch(role, unit), stop: () => {} } : launch(role, unit)
    const { ready, stop, states } = run([plan('gateway', ['user']), plan('user')], stubborn)
    await ready
    const stopped = stop()
    await vi.advanceTimersByTimeAsync(900)
    expect(events).not.toContain('stop user')
    await vi.advanceTimersByTimeAsync(200)
    expect(events).toContain('stop user')
    expect(states().get('gateway')?.at).toBe('ready')
    await vi.advanceTimersByTimeAsync(1_000)
    await stopped
    expect(states().get('gateway')?.at).toBe('stopped')
  })

  it('refuses roles that need each other', () => {
    const { launch } = theatre()
    expect(() => run([plan('a', ['b']), plan('b', ['a'])], launch)).toThrow(/circle: a, b/)
  })
})

const never = new AbortController().signal

describe('a running supervision', () => {
  it('waits for a unit that does not get ready until nobody asks any more, and can stop it then', async () => {
    const { launch } = theatre()
    let isStuck = false
    const stuck: LaunchRole = (role, unit) => {
      const launched = launch(role, unit)
      if (!isStuck) return launched
      return {
        ...launched,
        start: () => launched.exited.then((how) => Promise.reject(new AppError('UNAVAILABLE', how))),
      }
    }
    const { ready, restart, halt, states, stop } = run([plan('user'), plan('user-2')], stuck)
    await ready
    isStuck = true
    const gone = new AbortController()
    const asked = restart(['user', 'user-2'], { rolling: true }, gone.signal)
    await vi.waitUntil(() => states().get('user')?.at === 'starting')
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
    expect(await apply(next)).toEqual({ started: ['payment'], stopped: ['user'], restarted: ['order'] })
    await until(() => [...states().values()].every(({ at }) => at === 'ready'))
    expect(events.filter((event) => event.endsWith('registry'))).toEqual([])
    expect(reports().map(({ unit: { name } }) => name)).toEqual(['order', 'registry', 'payment'])
    await stop()
    expect(events.at(-1)).toBe('stop registry')
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
    const never: LaunchRole = (role, unit) => {
      const launched = launch(role, unit)
      return {
        ...launched,
        start: () => launched.exited.then((how) => Promise.reject(new AppError('UNAVAILABLE', how))),
      }
    }
    const [stuck] = roleUnits(never).plan([plan('migration')])
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
