import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { AppError } from '../errors.ts'
import type { LaunchRole } from './role-unit.ts'
import { neverReady, plan, run, theatre } from './testing/theatre.ts'
import type { Started } from './unit.ts'

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

  it('boots the next replica while the registry is told of the end, and starts it afterwards', async () => {
    const { launch, crash, events } = theatre()
    const told = Promise.withResolvers<void>()
    const { ready, stop, until, states } = run([plan('user')], launch, { onLost: () => told.promise })
    await ready
    crash('user')
    await vi.waitUntil(() => events.filter((event) => event === 'launch user').length === 2, { timeout: 20_000 })
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
    hanging.add('user')
    const { ready, stop, changes } = run([plan('user')], neverReady(launch))
    const refused = expect(ready).rejects.toMatchObject({ code: 'STOPPING' })
    await vi.advanceTimersByTimeAsync(299_000)
    expect(changes.map(({ state }) => state.at)).toEqual(['starting'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(changes[1]?.state).toMatchObject({ at: 'backing-off', why: 'no sign of life for 300 s' })
    await Promise.all([stop(), refused])
  })

  it('starts a replica again on the port it was given', async () => {
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
    const stuck = neverReady(launch, (role) => role === 'registry')
    const { ready, stop, states, until } = run([plan('user', ['registry']), plan('registry')], stuck)
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
