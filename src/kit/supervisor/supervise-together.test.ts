import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type LaunchRole, type RolePlan, roleUnits } from './role-unit.ts'
import { neverReady, plan, run, theatre } from './testing/theatre.ts'

const never = new AbortController().signal

/** A role in one of its versions: another one, and it is restarted. */
function versioned(role: string, version = 1, needs: readonly string[] = []): RolePlan {
  const { job, ...rest } = plan(role, needs)
  return { ...rest, job: { ...job, section: { ...job.section, version } } }
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Supervises roles each of which takes some turns of the event loop to end. */
async function stage(plans: readonly RolePlan[], change: (launch: LaunchRole) => LaunchRole = (launch) => launch) {
  const { launch, running } = theatre()
  const slow: LaunchRole = (role, unit) => {
    const launched = change(launch)(role, unit)
    return { ...launched, stop: () => void turns(5).then(() => launched.stop()) }
  }
  const roles = roleUnits(slow)
  const supervision = run([], slow, { units: roles.plan(plans) })
  await supervision.ready
  const lives = () => [...running].toSorted()
  return { ...supervision, lives, apply: (next: readonly RolePlan[]) => supervision.apply(roles.plan(next)) }
}

type Stage = Awaited<ReturnType<typeof stage>>

const [was, next] = [
  [versioned('user', 1, ['registry']), versioned('registry')],
  [versioned('user', 2, ['registry']), versioned('registry', 2)],
]

describe('what is asked of a supervision while it applies a plan', () => {
  it.each<[string, (stage: Stage) => Promise<unknown>, readonly string[]]>([
    ['a start', ({ start }) => start(['user'], never), ['registry/2', 'user/2']],
    ['a restart', ({ restart }) => restart(['user'], { rolling: false }, never), ['registry/2', 'user/3']],
    ['a rolling restart', ({ restart }) => restart(['user'], { rolling: true }, never), ['registry/2', 'user/3']],
    ['the same plan', ({ apply }) => apply(next), ['registry/2', 'user/2']],
    ['another plan', ({ apply }) => apply([versioned('user', 3)]), ['user/3']],
    ['a stop of a unit', ({ halt }) => halt(['user']), ['registry/2']],
    ['its stop', ({ stop }) => stop(), []],
  ])('leaves one life of each unit after %s', async (_, ask, wanted) => {
    for (const after of [0, 1, 4, 6, 8]) {
      const here = await stage(was)
      const applying = here.apply(next)
      await turns(after)
      await Promise.allSettled([applying, ask(here)])
      await here.until(() => [...here.states().values()].every(({ at }) => at === 'ready' || at === 'stopped'))
      expect([after, here.lives()]).toEqual([after, wanted])
      await here.stop()
      expect(here.lives()).toEqual([])
    }
  })

  it('is not started once the plan has no such unit', async () => {
    const { apply, restart, lives, stop } = await stage(was)
    const restarting = restart(['user'], { rolling: false }, never)
    await turns(1)
    await Promise.all([apply([versioned('registry')]), restarting])
    expect(lives()).toEqual(['registry/1'])
    await stop()
  })

  it('waits no longer than who asks does', async () => {
    const { apply, start, stop } = await stage(was)
    const applying = apply(next)
    await start(['user'], AbortSignal.abort())
    const isFirst = await Promise.race([
      applying.then(() => false),
      start(['user'], AbortSignal.abort()).then(() => true),
    ])
    expect(isFirst).toBe(true)
    await applying
    await stop()
  })

  it('does not wait for a restart that never gets ready', async () => {
    let isStuck = false
    const { apply, restart, lives, states, until, stop } = await stage(was, (launch) =>
      neverReady(launch, () => isStuck),
    )
    isStuck = true
    const gone = new AbortController()
    const restarting = restart(['user'], { rolling: true }, gone.signal)
    await until(() => states().get('user')?.at === 'starting')
    isStuck = false
    await apply(next)
    await until(() => [...states().values()].every(({ at }) => at === 'ready'))
    expect(lives()).toEqual(['registry/2', 'user/3'])
    gone.abort()
    await restarting
    await stop()
  })

  it('starts nothing once all is stopped', async () => {
    const { start, stop, lives } = await stage(was)
    const stopping = stop()
    await turns(7)
    await Promise.all([start(['user'], never), stopping])
    await start(['user'], never)
    expect(lives()).toEqual([])
  })
})

describe('a start of a unit that is being stopped', () => {
  it('is answered when it runs again', async () => {
    for (const after of [0, 1, 3, 5, 6]) {
      const { halt, start, lives, states, stop } = await stage(was)
      const halting = halt(['user'])
      await turns(after)
      await start(['user'], never)
      expect([after, lives(), states().get('user')?.at]).toEqual([after, ['registry/1', 'user/2'], 'ready'])
      await halting
      expect(lives()).toEqual(['registry/1', 'user/2'])
      await stop()
    }
  })

  it('gives way to a stop that comes behind it, and waits no longer than who asks does', async () => {
    const { halt, start, lives, states, stop } = await stage(was)
    const gone = new AbortController()
    const halting = halt(['user'])
    const starting = start(['user'], gone.signal)
    await turns(1)
    gone.abort()
    await starting
    expect(lives()).toEqual(['registry/1', 'user/1'])
    await Promise.all([halting, halt(['user'])])
    await turns(20)
    expect([lives(), states().get('user')?.at]).toEqual([['registry/1'], 'stopped'])
    await stop()
  })
})

const roleName = fc.constantFrom('user', 'order', 'registry')
const plans = fc
  .uniqueArray(fc.tuple(roleName, fc.integer({ min: 1, max: 2 })), { selector: ([name]) => name })
  .map((some) => some.map(([name, version]) => versioned(name, version)))
interface Request {
  /** The roles of a plan. */
  readonly some: readonly RolePlan[] | undefined
  /** The role that is to run from now on. */
  readonly starts?: string
  readonly ask: (stage: Stage) => Promise<unknown>
}
const request: fc.Arbitrary<Request> = fc.oneof(
  plans.map((some) => ({ some, ask: ({ apply }: Stage) => apply(some) })),
  roleName.map((name) => ({ some: undefined, starts: name, ask: ({ start }: Stage) => start([name], never) })),
  roleName.map((name) => ({ some: undefined, ask: ({ halt }: Stage) => halt([name]) })),
  fc.tuple(roleName, fc.boolean()).map(([name, rolling]) => ({
    some: undefined,
    ask: ({ restart }: Stage) => restart([name], { rolling }, never),
  })),
)

describe('a supervision of which much is asked at a time', () => {
  it('runs one life of each unit of the last plan, and none of others', async () => {
    const steps = fc.array(fc.tuple(request, fc.nat({ max: 12 })), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(steps, async (asked) => {
        const here = await stage(was)
        const under: Promise<unknown>[] = []
        for (const [{ ask }, wait] of asked) {
          under.push(Promise.allSettled([ask(here)]))
          await turns(wait)
        }
        await Promise.all(under)
        const last = asked.findLast(([{ some }]) => some)?.[0].some ?? was
        const names = last.map(({ unit }) => unit)
        expect([...here.states().keys()]).toEqual(names)
        const started = asked.at(-1)?.[0].starts
        if (started !== undefined && names.includes(started)) expect(here.states().get(started)?.at).toBe('ready')
        await here.start(names, never)
        expect(here.lives().map((life) => life.split('/')[0])).toEqual(names.toSorted())
        await here.stop()
        expect(here.lives()).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})
