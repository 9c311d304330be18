import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Registration } from './contract.ts'
import { type Change, Instances, whyUnhealthy } from './instances.ts'
import { LEASE_LIMITS } from './lease.ts'

function setUp(maxInstances = 100, maxPerService = maxInstances) {
  let now = 0
  let ids = 0
  const instances = new Instances({
    clock: { now: () => 1_700_000_000_000 + now, monotonic: () => now },
    limits: LEASE_LIMITS,
    maxInstances,
    maxPerService,
    newId: () => `id-${String(ids++).padStart(4, '0')}`,
  })
  const changes: string[] = []
  instances.onChange((change) => changes.push(describeChange(change)))
  return {
    instances,
    changes,
    pass(ms: number) {
      now += ms
    },
  }
}

function describeChange(change: Change): string {
  const { service_name, port } = change.instance
  return `${change.type} ${service_name}:${port}${change.type === 'down' ? ` ${change.reason}` : ''}`
}

function registration(service: string, port: number, more: Partial<Registration> = {}) {
  return Registration.parse({ service_name: service, host: '127.0.0.1', port, ...more })
}

describe('Instances', () => {
  it('gives each healthy instance in its turn', () => {
    const { instances } = setUp()
    for (const port of [1, 2, 3]) instances.register(registration('user', port))
    const ports = Array.from({ length: 7 }, () => instances.discover('user')?.port)
    expect(ports).toEqual([1, 2, 3, 1, 2, 3, 1])
    expect(instances.discover('order')).toBeUndefined()
  })

  it('takes the same service, host and port for the same instance', () => {
    const { instances, changes } = setUp()
    const first = instances.register(registration('user', 1))
    const again = instances.register(registration('user', 1))
    expect(again.instance).toBe(first.instance)
    const restarted = instances.register(registration('user', 1, { metadata: { instance: 'b' } }))
    expect(restarted.instance.id).toBe(first.instance.id)
    expect(instances.healthy('user')).toEqual([restarted.instance])
    expect(changes).toEqual(['up user:1', 'up user:1'])
  })

  it('takes the same id for the same instance, wherever it is now', () => {
    const { instances, changes } = setUp()
    const first = instances.register(registration('user', 1, { id: 'ann' }))
    const moved = instances.register(registration('user', 2, { id: 'ann' }))
    expect([first.instance.id, moved.instance.id]).toEqual(['ann', 'ann'])
    expect(moved.fence).toBeGreaterThan(first.fence)
    expect(instances.healthy('user')).toEqual([moved.instance])
    expect(instances.find(registration('user', 1))).toBeUndefined()
    expect(changes).toEqual(['up user:1', 'down user:1 replaced', 'up user:2'])
    const foreign = registration('order', 3, { id: 'ann' })
    expect(() => instances.register(foreign)).toThrow(expect.objectContaining({ code: 'CONFLICT' }))
  })

  it('has one instance at an address: the one that registered last', () => {
    const { instances, changes } = setUp()
    const first = instances.register(registration('user', 1, { id: 'ann' }))
    const second = instances.register(registration('user', 1, { id: 'bob' }))
    expect(second.fence).toBeGreaterThan(first.fence)
    expect(instances.healthy('user').map(({ id }) => id)).toEqual(['bob'])
    expect(instances.find({ id: 'ann' })).toBeUndefined()
    expect(instances.adopt({ ...first, fence: second.fence - 1 })).toBe(false)
    expect(instances.healthy('user').map(({ id }) => id)).toEqual(['bob'])
    expect(changes).toEqual(['up user:1', 'down user:1 replaced', 'up user:1'])
  })

  it('drops the dead of a service, however many of another fell silent with it', () => {
    const { instances, pass } = setUp()
    for (let port = 1; port <= 60; port++) instances.register(registration('stranger', port))
    for (const port of [1, 2, 3, 4, 5, 6]) instances.register(registration('user', port))
    pass(20_000)
    for (const port of [1, 2, 3, 4, 5]) instances.heartbeat(registration('user', port))
    pass(10_000)
    instances.sweep()
    expect(instances.healthy('user').map(({ port }) => port)).toEqual([1, 2, 3, 4, 5])
    expect(instances.healthy('stranger')).toHaveLength(60)
  })

  it('expires without heartbeats, comes back with one, and is forgotten in the end', () => {
    const { instances, changes, pass } = setUp()
    const ref = registration('user', 1)
    const { id } = instances.register(ref).instance
    pass(29_999)
    expect(instances.sweep()).toEqual([])
    instances.heartbeat(ref)
    pass(30_000)
    expect(instances.sweep()).toHaveLength(1)
    expect(instances.discover('user')).toBeUndefined()
    instances.heartbeat({ id })
    expect(instances.discover('user')?.id).toBe(id)
    pass(30_000)
    instances.sweep()
    pass(600_000)
    instances.sweep()
    expect(instances.find({ id })).toBeUndefined()
    expect(instances.find(ref)).toBeUndefined()
    expect(changes).toEqual(['up user:1', 'down user:1 no heartbeat', 'up user:1', 'down user:1 no heartbeat'])
  })

  it('marks until the next heartbeat, and drains until the next registration', () => {
    const { instances, changes } = setUp()
    const ref = registration('user', 1)
    instances.register(ref)
    instances.mark(ref, 'unhealthy')
    instances.heartbeat(ref)
    instances.mark(ref, 'draining')
    instances.heartbeat(ref)
    expect(instances.discover('user')).toBeUndefined()
    instances.register(ref)
    expect(changes).toEqual([
      'up user:1',
      'down user:1 marked unhealthy',
      'up user:1',
      'down user:1 draining',
      'up user:1',
    ])
  })

  it('is healthy only while its check passes, and keeps the result over a registration with the same check', () => {
    const { instances, changes } = setUp()
    const url = 'http://127.0.0.1:1/health'
    const ref = registration('user', 1, { health_check_url: url })
    const { id } = instances.register(ref).instance
    expect(instances.discover('user')).toBeUndefined()
    instances.checked(id, url, { at: 'passing' })
    instances.register(ref)
    instances.checked(id, url, { at: 'failing', reason: 'status 500' })
    instances.checked(id, 'http://other/', { at: 'passing' })
    expect(changes).toEqual(['up user:1', 'down user:1 health check: status 500'])
    instances.register(registration('user', 1))
    expect(instances.discover('user')?.id).toBe(id)
  })

  it('gives a restored instance a fresh lease', () => {
    const { instances, pass } = setUp()
    pass(1_000_000)
    const instance = { id: 'a', service_name: 'user', host: 'h', port: 1, url: 'http://h:1', tags: [], metadata: {} }
    instances.restore([{ instance, healthCheckUrl: undefined, registeredAt: 0, fence: 0, mark: 'none' }])
    pass(29_999)
    instances.sweep()
    expect(instances.discover('user')?.id).toBe('a')
    pass(1)
    instances.sweep()
    expect(instances.discover('user')).toBeUndefined()
    expect(instances.register(registration('user', 1, { host: 'h' })).instance.id).toBe('a')
  })

  it('expires nobody for the time it stood still itself', () => {
    const { instances, pass } = setUp()
    instances.register(registration('user', 1))
    pass(100_000)
    instances.extend(100_000)
    expect(instances.sweep()).toEqual([])
  })

  it('takes no more than it may', () => {
    const { instances } = setUp(2)
    instances.register(registration('user', 1))
    instances.register(registration('user', 2))
    expect(() => instances.register(registration('user', 3))).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
    instances.register(registration('user', 2))
    instances.remove(registration('user', 1), 'deregistered')
    instances.register(registration('user', 3))
  })

  it('takes no more of one service than its share, and leaves the rest to others', () => {
    const { instances, pass } = setUp(10, 2)
    const full = expect.objectContaining({ code: 'UNAVAILABLE', headers: { 'retry-after': '1' } })
    for (const port of [1, 2, 2]) instances.register(registration('user', port))
    expect(() => instances.register(registration('user', 3))).toThrow(full)
    instances.register(registration('order', 1))
    instances.remove(registration('user', 1), 'deregistered')
    instances.register(registration('user', 3))
    expect(() => instances.register(registration('user', 1))).toThrow(full)
    pass(30_000)
    instances.sweep()
    pass(600_000)
    instances.sweep()
    instances.register(registration('user', 1))
  })

  /** The plain rule, without leases as states: who is healthy follows from what happened when. Four instances, so no self-preservation. */
  it('agrees with the rule, and its changes with its lists, whatever happens', () => {
    const port = fc.integer({ min: 1, max: 4 })
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('register', 'heartbeat', 'unhealthy', 'draining', 'deregister' as const), port }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { instances, pass } = setUp()
        const model = new Map<number, { heard: number; mark: string; expired?: number }>()
        const watched = new Map<string, number>()
        let revision = 0
        let now = 0
        instances.onChange((change) => {
          expect(change.revision).toBe(++revision)
          if (change.type === 'up') watched.set(change.instance.id, change.instance.port)
          else expect(watched.delete(change.instance.id)).toBe(true)
        })
        for (const taken of steps) {
          if (taken.do === 'pass') {
            now += taken.ms
            pass(taken.ms)
          } else {
            const ref = registration('user', taken.port)
            const known = model.get(taken.port)
            if (taken.do === 'register') {
              instances.register(ref)
              model.set(taken.port, { heard: now, mark: 'none' })
            } else if (taken.do === 'heartbeat') {
              expect(instances.heartbeat(ref) !== undefined).toBe(known !== undefined)
              if (known) model.set(taken.port, { heard: now, mark: known.mark === 'draining' ? 'draining' : 'none' })
            } else if (taken.do === 'deregister') {
              expect(instances.remove(ref, 'deregistered') !== undefined).toBe(model.delete(taken.port))
            } else {
              expect(instances.mark(ref, taken.do) !== undefined).toBe(known !== undefined)
              if (known) known.mark = taken.do
            }
          }
          instances.sweep()
          for (const [at, known] of model) {
            if (now - known.heard >= 30_000) known.expired ??= now
            if (known.expired !== undefined && now - known.expired >= 600_000) model.delete(at)
          }
          const healthy = [...model].filter(([, { heard, mark }]) => now - heard < 30_000 && mark === 'none')
          const expected = healthy.map(([at]) => at).sort()
          expect(
            instances
              .healthy('user')
              .map((one) => one.port)
              .sort(),
          ).toEqual(expected)
          expect([...watched.values()].sort()).toEqual(expected)
          const entries = instances.byService().get('user') ?? []
          expect(entries.filter((entry) => whyUnhealthy(entry) === undefined)).toHaveLength(expected.length)
        }
      }),
    )
  })
})
