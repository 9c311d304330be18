import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { managerNotices, noticesBy, unitsInWords } from './manager-notices.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function told() {
  const words: Readonly<Record<string, string>>[] = []
  return {
    words,
    notifier: { tell: (more: Readonly<Record<string, string>>) => void words.push(more), told: async () => {} },
  }
}

describe('managerNotices', () => {
  it('asks for more time while it starts, and gives signs of life at half of the time from then on', async () => {
    const { words, notifier } = told()
    const notices = noticesBy(notifier, { watchdogMs: 10_000 })
    vi.advanceTimersByTime(20_000)
    expect(words).toEqual([{ EXTEND_TIMEOUT_USEC: '60000000' }])
    notices.ready('Ready: user-service at http://127.0.0.1:8001')
    vi.advanceTimersByTime(10_000)
    expect(words.slice(1)).toEqual([
      { READY: '1', STATUS: 'Ready: user-service at http://127.0.0.1:8001' },
      { WATCHDOG: '1' },
      { WATCHDOG: '1' },
    ])
    notices.stopping('Finishing')
    notices.doing('Ready again')
    expect(words.slice(4)).toEqual([{ STOPPING: '1', STATUS: 'Finishing' }])
    await notices.close()
    vi.advanceTimersByTime(60_000)
    expect(words).toHaveLength(5)
  })

  it('gives signs of life from its beginning on where the program before it gave them, and says when it is ready', () => {
    const { words, notifier } = told()
    const notices = noticesBy(notifier, { watchdogMs: 10_000 }, true)
    vi.advanceTimersByTime(5_000)
    notices.ready('Ready')
    vi.advanceTimersByTime(5_000)
    expect(words).toEqual([{ WATCHDOG: '1' }, { WATCHDOG: '1' }, { READY: '1', STATUS: 'Ready' }, { WATCHDOG: '1' }])
  })

  it('says that it is renewed, and lives on, where another program follows', () => {
    const { words, notifier } = told()
    const notices = noticesBy(notifier, { watchdogMs: 10_000 })
    notices.ready('Ready')
    notices.renewing('Stopping in order')
    notices.doing('Stopped: user')
    vi.advanceTimersByTime(5_000)
    expect(words.slice(1)).toEqual([
      { RELOADING: '1', MONOTONIC_USEC: expect.stringMatching(/^\d+$/), STATUS: 'Stopping in order' },
      { WATCHDOG: '1' },
    ])
  })

  it('gives no signs of life where nobody waits for them', () => {
    const { words, notifier } = told()
    noticesBy(notifier, { watchdogMs: undefined }).ready('Ready')
    vi.advanceTimersByTime(60_000)
    expect(words).toEqual([{ READY: '1', STATUS: 'Ready' }])
  })

  it('says once that it can tell nobody', async () => {
    vi.useRealTimers()
    const warn = vi.fn()
    const serviceManager = { notifySocket: '/nowhere', watchdogMs: undefined, sockets: [] }
    const notices = managerNotices({ serviceManager, environment: { PATH: '/nowhere' } }, warn)
    notices.ready('Ready')
    await notices.close()
    notices.doing('Still ready')
    await notices.close()
    expect(warn.mock.calls).toEqual([[expect.stringContaining('systemd-notify is not there')]])
  })
})

it('says how units do, the worst first', () => {
  const report = (name: string, at: 'ready' | 'starting' | 'failed') => ({ unit: { name }, state: { at } })
  expect(
    unitsInWords([report('user', 'ready'), report('order', 'starting'), report('x', 'failed'), report('y', 'ready')]),
  ).toBe('Failed: x. Starting: order. Ready: user, y')
})
