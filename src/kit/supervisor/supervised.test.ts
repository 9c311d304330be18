import { describe, expect, it } from 'vitest'
import { AppError } from '../errors.ts'
import type { RunningHost } from '../host.ts'
import { runSupervised } from './supervised.ts'

/** A parent that sends what it is told, and hears what the child says. */
function parent() {
  const heard: unknown[] = []
  let tell: (message: unknown) => void = () => {}
  return {
    heard,
    tell: (message: unknown) => tell(message),
    channel: {
      send: (message: unknown) => void heard.push(message),
      onMessage: (take: (message: unknown) => void) => {
        tell = take
      },
    },
  }
}

function hostThat(does: Partial<RunningHost>): RunningHost {
  const broken = new Promise<never>(() => {})
  return {
    role: 'user',
    service: 'user-service',
    instance: 'i',
    url: 'http://x',
    advertised: 'http://y',
    loopback: [],
    port: 1,
    broken,
    cutover: { prepare: async () => {}, hold: async () => {}, begin: async () => {} },
    join: async () => {},
    reload: async () => {},
    stop: async () => {},
    ...does,
  }
}

describe('runSupervised', () => {
  it('waits for start, says that it is ready, and stops with the signal', async () => {
    const { heard, tell, channel } = parent()
    const stopping = new AbortController()
    let stopped = false
    const host = hostThat({
      stop: async () => {
        stopped = true
      },
    })
    const over = runSupervised(channel, async () => host, stopping.signal)
    expect(heard).toEqual([{ type: 'booted' }])
    tell({ type: 'nonsense' })
    tell({ type: 'start', job: { role: 'user' } })
    await Promise.resolve().then(() => {})
    await expect.poll(() => heard.length).toBe(2)
    expect(heard[1]).toEqual({
      type: 'ready',
      service: 'user-service',
      instance: 'i',
      url: 'http://x',
      advertised: 'http://y',
    })
    tell({ type: 'probe' })
    expect(heard[2]).toEqual({ type: 'alive' })
    stopping.abort()
    await over
    expect(stopped).toBe(true)
  })

  it('stops in order when it is told to, where no signal can', async () => {
    const { heard, tell, channel } = parent()
    let stopped = false
    const host = hostThat({
      stop: async () => {
        stopped = true
      },
    })
    const over = runSupervised(channel, async () => host, new AbortController().signal)
    tell({ type: 'start', job: { role: 'user' } })
    await expect.poll(() => heard.length).toBe(2)
    tell({ type: 'stop' })
    await over
    expect(stopped).toBe(true)
  })

  it('has the role take changed settings, and says whether it has', async () => {
    const { heard, tell, channel } = parent()
    const stopping = new AbortController()
    const told: unknown[] = []
    const host = hostThat({
      reload: async (changes) => {
        if (told.push(changes) > 1) throw new AppError('START_FAILED', 'port 7001 is taken')
      },
    })
    const over = runSupervised(channel, async () => host, stopping.signal)
    const reload = (number: number) => tell({ type: 'step', number, step: { step: 'reload', changes: { doors: [] } } })
    reload(1)
    tell({ type: 'start', job: { role: 'user' } })
    await expect.poll(() => heard.length).toBe(3)
    reload(2)
    reload(3)
    await expect.poll(() => heard.length).toBe(5)
    expect(heard.filter((said) => said instanceof Object && 'number' in said)).toEqual([
      { type: 'stepped', number: 1, fault: 'The role has not started' },
      { type: 'stepped', number: 2 },
      { type: 'stepped', number: 3, fault: 'port 7001 is taken' },
    ])
    expect(told).toEqual([{ doors: [] }, { doors: [] }])
    stopping.abort()
    await over
  })

  it('stops and fails when the role can not go on', async () => {
    const { tell, channel } = parent()
    const broken = Promise.withResolvers<Error>()
    let stopped = false
    const stop = async () => {
      stopped = true
    }
    const host = hostThat({ broken: broken.promise, stop })
    const over = runSupervised(channel, async () => host, new AbortController().signal)
    tell({ type: 'start', job: { role: 'user' } })
    broken.resolve(new AppError('UNAVAILABLE', 'users.db is damaged'))
    await expect(over).rejects.toThrow('users.db is damaged')
    expect(stopped).toBe(true)
  })

  it.each([
    [new AppError('START_FAILED', 'port 1 is taken'), 'START_FAILED'],
    [new AppError('CONFIG_INVALID', 'port 1 is taken'), 'CONFIG_INVALID'],
    [new AppError('UNAVAILABLE', 'port 1 is taken'), 'START_FAILED'],
  ])('tells why it does not start: %s', async (fault, code) => {
    const { heard, tell, channel } = parent()
    const refuse = () => Promise.reject(fault)
    const over = runSupervised(channel, refuse, new AbortController().signal)
    tell({ type: 'start', job: {} })
    await over
    expect(heard.at(-1)).toEqual({ type: 'refused', code, message: 'port 1 is taken' })
  })

  it('ends when it is stopped before it was started', async () => {
    const { channel } = parent()
    const stopping = new AbortController()
    const over = runSupervised(channel, () => Promise.reject(new Error('never')), stopping.signal)
    stopping.abort()
    await over
  })
})
