import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MANAGER_VARIABLES, readServiceManager } from './service-manager.ts'

describe('readServiceManager', () => {
  it('says nothing where nobody told anything', () => {
    expect(readServiceManager({}, 7)).toBeUndefined()
  })

  it('reads where to tell how it does, and how often', () => {
    const told = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }
    expect(readServiceManager(told, 7)).toEqual({
      notifySocket: '/run/systemd/notify',
      watchdogMs: 30_000,
      sockets: [],
    })
    expect(readServiceManager({ ...told, WATCHDOG_PID: undefined }, 7)?.watchdogMs).toBe(30_000)
    expect(readServiceManager({ ...told, WATCHDOG_PID: '8' }, 7)?.watchdogMs).toBeUndefined()
    expect(readServiceManager({ ...told, NOTIFY_SOCKET: '@abstract' }, 7)?.notifySocket).toBe('@abstract')
    expect(readServiceManager({ ...told, NOTIFY_SOCKET: 'vsock:2:1' }, 7)).toBeUndefined()
  })

  it('reads the sockets that are its own, by their names', () => {
    const told = { LISTEN_FDS: '2', LISTEN_PID: '7', LISTEN_FDNAMES: 'gateway' }
    expect(readServiceManager(told, 7)?.sockets).toEqual([
      { fd: 3, name: 'gateway' },
      { fd: 4, name: '' },
    ])
    expect(readServiceManager(told, 8)).toBeUndefined()
    expect(readServiceManager({ LISTEN_FDS: '2' }, 7)).toBeUndefined()
  })

  it('takes whatever stands in the variables', () => {
    const text = fc.option(fc.oneof(fc.string(), fc.integer().map(String), fc.constantFrom('7', '1e3', '-1', '')), {
      nil: undefined,
    })
    const told = fc.record(Object.fromEntries(MANAGER_VARIABLES.map((name) => [name, text])))
    fc.assert(
      fc.property(told, (environment) => {
        const manager = readServiceManager(environment, 7)
        if (!manager) return
        const { notifySocket, watchdogMs = 1, sockets } = manager
        expect(notifySocket !== undefined || sockets.length > 0).toBe(true)
        expect(watchdogMs).toBeGreaterThan(0)
        expect(sockets.map(({ fd }) => fd)).toEqual(sockets.map((_, index) => index + 3))
      }),
    )
  })
})
