import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Instance } from './directory.ts'
import { KnownInstances } from './known-instances.ts'

function instance(port: number, more: Partial<Instance> = {}): Instance {
  const url = `http://h:${port}`
  return { id: `i${port}`, service_name: 'user', host: 'h', port, url, tags: [], metadata: {}, ...more }
}

const ports = (known: KnownInstances) => known.instances('user').map(({ port }) => port)

describe('KnownInstances', () => {
  it('keeps order, and the same objects and array while nothing changes', () => {
    const known = new KnownInstances(1000)
    known.replace({ registry: 'a', instances: [instance(2), instance(1)] }, 0)
    const before = known.instances('user')
    expect(ports(known)).toEqual([1, 2])
    expect(known.replace({ registry: 'a', instances: [instance(1), instance(2)] }, 0)).toEqual(new Set())
    expect(known.up(instance(1))).toEqual(new Set())
    expect(known.instances('user')).toBe(before)
  })

  it('takes a restarted process for another object', () => {
    const known = new KnownInstances(1000)
    known.up(instance(1, { metadata: { instance: 'a' } }))
    const [before] = known.instances('user')
    expect(known.up(instance(1, { metadata: { instance: 'b' } }))).toEqual(new Set(['user']))
    expect(known.instances('user')).toHaveLength(1)
    expect(known.instances('user')[0]).not.toBe(before)
  })

  it('drops at once what a removal names', () => {
    const known = new KnownInstances(1000)
    known.up(instance(1))
    expect(known.down('user', 'unknown')).toEqual(new Set())
    expect(known.down('user', 'i1')).toEqual(new Set(['user']))
    expect(ports(known)).toEqual([])
  })

  it('drops at once what the same run of the registry saw go', () => {
    const known = new KnownInstances(1000)
    known.replace({ registry: 'a', instances: [instance(1), instance(2)] }, 0)
    known.lost()
    known.replace({ registry: 'a', instances: [instance(2)] }, 0)
    expect(ports(known)).toEqual([2])
  })

  it('keeps for a grace time what a restarted registry does not know', () => {
    const known = new KnownInstances(1000)
    known.replace({ registry: 'a', instances: [instance(1), instance(2), instance(3)] }, 0)
    known.lost()
    expect(known.replace({ registry: 'b', instances: [] }, 500)).toEqual(new Set())
    expect(ports(known)).toEqual([1, 2, 3])
    expect(known.nextDrop()).toBe(1500)
    known.up(instance(1))
    known.down('user', 'i2')
    expect(ports(known)).toEqual([1, 3])
    expect(known.dropMissing(1499)).toEqual(new Set())
    expect(known.dropMissing(1500)).toEqual(new Set(['user']))
    expect(ports(known)).toEqual([1])
    expect(known.nextDrop()).toBe(Number.POSITIVE_INFINITY)
  })

  it('drops nobody while the registry is away, and goes on with the grace when it is back', () => {
    const known = new KnownInstances(1000)
    known.replace({ registry: 'a', instances: [instance(1)] }, 0)
    known.replace({ registry: 'b', instances: [] }, 100)
    known.lost()
    expect(known.dropMissing(100_000)).toEqual(new Set())
    known.replace({ registry: 'b', instances: [] }, 100_000)
    expect(ports(known)).toEqual([1])
    known.dropMissing(101_000)
    expect(ports(known)).toEqual([])
  })

  it('does not know an instance twice when a registry that lost its memory gives it another id', () => {
    const known = new KnownInstances(1000)
    known.replace({ registry: 'a', instances: [instance(1)] }, 0)
    known.replace({ registry: 'b', instances: [] }, 0)
    known.up(instance(1, { id: 'new' }))
    known.dropMissing(5000)
    expect(known.instances('user')).toEqual([instance(1, { id: 'new' })])
  })

  it('holds what the registry says once every grace is over, whatever happened before', () => {
    const some = fc.uniqueArray(fc.integer({ min: 1, max: 5 }))
    const step = fc.oneof(
      fc.record({ do: fc.constant('replace' as const), run: fc.constantFrom('a', 'b', 'c'), ports: some }),
      fc.record({ do: fc.constantFrom('up' as const, 'down' as const), port: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant('lost' as const) }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.nat(1500) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), some, (steps, last) => {
        const known = new KnownInstances(1000)
        let now = 0
        for (const taken of steps) {
          const before = known.instances('user')
          let changed: ReadonlySet<string> = new Set()
          switch (taken.do) {
            case 'replace':
              changed = known.replace(
                { registry: taken.run, instances: taken.ports.map((port) => instance(port)) },
                now,
              )
              break
            case 'up':
              changed = known.up(instance(taken.port))
              break
            case 'down':
              changed = known.down('user', `i${taken.port}`)
              break
            case 'lost':
              known.lost()
              break
            case 'pass':
              now += taken.ms
              changed = known.dropMissing(now)
          }
          expect(changed.has('user')).toBe(known.instances('user') !== before)
        }
        known.replace({ registry: 'last', instances: last.map((port) => instance(port)) }, now)
        expect(ports(known)).toEqual(expect.arrayContaining(last))
        known.dropMissing(now + 1000)
        expect(ports(known)).toEqual(last.sort())
      }),
    )
  })
})
