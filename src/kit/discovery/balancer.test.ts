import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBalancer, type Pick, type Verdict } from './balancer.ts'
import type { Instance } from './directory.ts'
import type { EjectionLimits } from './ejection.ts'

function instance(port: number): Instance {
  const host = '127.0.0.1'
  const url = `http://${host}:${port}`
  return { id: `i${port}`, service_name: 'user-service', host, port, url, tags: [], metadata: {} }
}

function instances(count: number): readonly Instance[] {
  return Array.from({ length: count }, (_, at) => instance(8000 + at))
}

/** A balancer with a clock and a seeded random of its own. */
function setUp(limits: Partial<EjectionLimits> = {}) {
  let now = 0
  let seed = 42
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed / 2_147_483_648
  }
  const balancer = createBalancer({ clock: { now: () => now, monotonic: () => now }, random, limits })
  return {
    balancer,
    pass: (ms: number) => {
      now += ms
    },
    /** Picks until it has had `times` from one instance, giving each the outcome that `decide` says. */
    spread(list: readonly Instance[], times: number, decide: (picked: Instance) => Verdict) {
      const counts = new Map<Instance, number>()
      for (let turn = 0; turn < times; turn++) {
        const picked = balancer.pick(list)
        if (!picked) throw new Error('nothing picked')
        counts.set(picked.instance, (counts.get(picked.instance) ?? 0) + 1)
        picked.done(decide(picked.instance))
      }
      return list.map((one) => counts.get(one) ?? 0)
    },
  }
}

describe('createBalancer', () => {
  it('picks nothing from nothing and the only one always', () => {
    const { balancer } = setUp()
    const only = instance(1)
    expect(balancer.pick([])).toBeUndefined()
    expect(balancer.pick([only])?.instance).toBe(only)
  })

  it('spreads quick requests evenly', () => {
    const counts = setUp().spread(instances(4), 4000, () => 'success')
    for (const count of counts) expect(count).toBeGreaterThan(800)
  })

  it('sends less to an instance that keeps its requests', () => {
    const { balancer } = setUp()
    const list = instances(3)
    const stuck = list[0]
    let sentToStuck = 0
    for (let turn = 0; turn < 300; turn++) {
      const picked = balancer.pick(list)
      if (picked?.instance === stuck) sentToStuck++
      else picked?.done('success')
    }
    expect(sentToStuck).toBeLessThan(5)
  })

  it('ejects after five consecutive failures, tries once after the hold, and takes it back', () => {
    const { balancer, pass, spread } = setUp()
    const list = instances(2)
    const [bad, good] = list
    if (!bad || !good) throw new Error('two instances')
    spread(list, 40, (picked) => (picked === bad ? 'failure' : 'success'))
    expect(balancer.isEjected(bad)).toBe(true)
    expect(spread(list, 50, () => 'success')).toEqual([0, 50])
    pass(60_000)
    const trial = balancer.pick(list)
    expect(trial?.instance).toBe(bad)
    expect(spread(list, 50, () => 'success')).toEqual([0, 50])
    trial?.done('success')
    expect(balancer.isEjected(bad)).toBe(false)
  })

  it('holds again after a failed trial, and tries anew at once after a silent one', () => {
    const { balancer, pass, spread } = setUp()
    const list = instances(2)
    const [bad] = list
    spread(list, 40, (picked) => (picked === bad ? 'failure' : 'success'))
    pass(60_000)
    const silent = balancer.pick(list)
    silent?.done('cancelled')
    const failing = balancer.pick(list)
    expect([silent?.instance, failing?.instance]).toEqual([bad, bad])
    failing?.done('failure')
    pass(59_999)
    expect(spread(list, 20, () => 'success')).toEqual([0, 20])
    pass(1)
    expect(balancer.pick(list)?.instance).toBe(bad)
  })

  it('tries an instance as soon as it says that it is well, once more each time it says so', () => {
    const { balancer, spread } = setUp({ maxShare: 1 })
    const list = instances(1)
    const [only = instance(0)] = list
    spread(list, 5, () => 'failure')
    expect([balancer.pick(list), balancer.any(list)]).toEqual([undefined, false])
    balancer.answered(only)
    const slow = balancer.pick(list)
    expect([slow?.instance, balancer.pick(list)]).toEqual([only, undefined])
    balancer.answered(only)
    balancer.pick(list)?.done('success')
    expect(balancer.isEjected(only)).toBe(false)
    slow?.done('failure')
    expect(spread(list, 4, () => 'failure')).toEqual([4])
    expect(balancer.isEjected(only)).toBe(false)
  })

  it('holds against an instance nothing that began before it was ejected', () => {
    const { balancer, spread } = setUp({ maxShare: 1 })
    const list = instances(1)
    const [only = instance(0)] = list
    const hanging = Array.from({ length: 20 }, () => balancer.pick(list))
    for (const one of hanging.splice(0, 5)) one?.done('failure')
    balancer.answered(only)
    spread(list, 1, () => 'success')
    for (const one of hanging) one?.done('failure')
    expect(balancer.isEjected(only)).toBe(false)
  })

  it('ejects at once an instance that cannot be reached, where others are in rotation', () => {
    const { balancer, spread } = setUp()
    const list = instances(2)
    const [away, well] = list
    if (!away || !well) throw new Error('two instances')
    expect(spread(list, 40, (picked) => (picked === away ? 'unreachable' : 'success'))[0]).toBe(1)
    expect(balancer.isEjected(away)).toBe(true)
  })

  it('counts one that cannot be reached as a failure where nobody else is left, also where all may be out', () => {
    const { balancer, spread } = setUp({ maxShare: 1 })
    const list = instances(1)
    expect(spread(list, 4, () => 'unreachable')).toEqual([4])
    expect(balancer.isEjected(list[0] ?? instance(0))).toBe(false)
    spread(list, 1, () => 'unreachable')
    expect(balancer.isEjected(list[0] ?? instance(0))).toBe(true)
  })

  it('counts consecutive failures only', () => {
    const { balancer, spread } = setUp()
    const list = instances(2)
    const turns = new Map<Instance, number>()
    spread(list, 200, (picked) => {
      const turn = (turns.get(picked) ?? 0) + 1
      turns.set(picked, turn)
      return turn % 5 === 0 ? 'success' : 'failure'
    })
    expect(list.some((one) => balancer.isEjected(one))).toBe(false)
  })

  it('never ejects the only instance', () => {
    const { balancer, spread } = setUp()
    const list = instances(1)
    expect(spread(list, 30, () => 'failure')).toEqual([30])
    expect(balancer.isEjected(list[0] ?? instance(0))).toBe(false)
  })

  it('prefers instances the request has not failed on, and takes one again when there is no other', () => {
    const { balancer } = setUp()
    const list = instances(3)
    const [a, b, c] = list
    if (!a || !b || !c) throw new Error('three instances')
    for (let turn = 0; turn < 20; turn++) expect(balancer.pick(list, new Set([a, b]))?.instance).toBe(c)
    expect(list).toContain(balancer.pick(list, new Set(list))?.instance)
  })

  it('starts a restarted instance afresh, since the directory gives it a new object', () => {
    const { balancer, spread } = setUp()
    const list = instances(2)
    spread(list, 40, (picked) => (picked === list[0] ? 'failure' : 'success'))
    const restarted = instance(8000)
    expect(balancer.isEjected(restarted)).toBe(false)
    expect(balancer.pick([restarted])?.instance).toBe(restarted)
  })

  it('always picks from the list and keeps half in rotation, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('pick' as const), avoid: fc.nat(7) }),
      fc.record({
        do: fc.constant('done' as const),
        at: fc.nat(20),
        outcome: fc.constantFrom('success', 'failure', 'unreachable', 'cancelled' as const),
      }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.nat(70_000) }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 200 }), (size, steps) => {
        const { balancer, pass } = setUp()
        const list = instances(size)
        const open: Pick[] = []
        for (const taken of steps) {
          if (taken.do === 'pass') pass(taken.ms)
          else if (taken.do === 'done')
            open.splice(taken.at % Math.max(open.length, 1), 1)[0]?.done(taken.outcome as Verdict)
          else {
            const avoided = list[taken.avoid]
            const picked = balancer.pick(list, avoided && new Set([avoided]))
            expect(list).toContain(picked?.instance)
            if (size > 1 && avoided && !list.some((one) => balancer.isEjected(one)))
              expect(picked?.instance).not.toBe(avoided)
            if (picked) open.push(picked)
          }
          expect(list.filter((one) => balancer.isEjected(one)).length).toBeLessThanOrEqual(size / 2)
        }
      }),
    )
  })
})
