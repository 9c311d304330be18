import { expect, it, vi } from 'vitest'
import { Build } from '../../kit/supervisor/command/build.ts'
import type { CommandPlan } from '../../kit/supervisor/command/command-unit.ts'
import { createServiceBuilds } from './service-builds.ts'

const shop: CommandPlan = {
  unit: 'shop',
  service: 'shop',
  needs: [],
  run: './shop',
  build: 'make',
  dir: '/srv',
  env: { PORT: '1', LEVEL: 'debug', USER_URL: 'http://127.0.0.1:1' },
  addresses: ['USER_URL'],
  secrets: [],
  place: undefined,
  ready: { by: 'none' },
  stop: { signal: 'SIGTERM', grace_ms: 0 },
  restart: { when: 'always' },
}

/** Builds that write down what runs of them; none ends by itself. */
function theatre() {
  const events: string[] = []
  const builds = createServiceBuilds(
    (_, command, after) =>
      new Build({
        command,
        ...(after && { after }),
        async start() {
          const { promise, resolve } = Promise.withResolvers<string>()
          events.push(`${command} begins`)
          const kill = () => {
            events.push(`${command} is killed`)
            resolve('SIGKILL')
          }
          return { pid: 1, ended: promise, exited: promise, stop: kill, kill }
        },
      }),
  )
  return {
    builds,
    events,
    saw: (event: string) => vi.waitUntil(() => events.includes(event), { interval: 1, timeout: 20_000 }),
  }
}

it('builds once for all replicas, wherever they listen and others are', () => {
  const { builds } = theatre()
  const build = builds.of(shop)
  const env = { ...shop.env, PORT: '2', USER_URL: 'http://127.0.0.1:2' }
  expect(builds.of({ ...shop, unit: 'shop-2', env })).toBe(build)
  expect(builds.of({ ...shop, env: { ...env, LEVEL: 'info' } })).not.toBe(build)
  expect(builds.of({ ...shop, build: undefined })).toBeUndefined()
})

it.each([
  ['is gone', []],
  ['is built otherwise', [{ ...shop, build: 'ninja' }]],
  ['is built no longer', [{ ...shop, build: undefined }]],
])('ends the build of a service that %s', async (_, replicas) => {
  const { builds, events, saw } = theatre()
  builds.of(shop)
  const renewed = builds.renew('shop')
  await saw('make begins')
  builds.plan([shop])
  expect(events).toEqual(['make begins'])
  builds.plan(replicas)
  expect(await renewed).toBe(false)
  expect(events).toEqual(['make begins', 'make is killed'])
})

it('begins the next build of a service when the one before has ended, and ends all', async () => {
  const { builds, events, saw } = theatre()
  const stopped = new AbortController()
  const waiting = builds.of(shop)?.ensure(stopped.signal)
  await saw('make begins')
  const next = { ...shop, build: 'ninja' }
  builds.plan([next])
  const then = builds.of(next)?.ensure(stopped.signal)
  stopped.abort()
  await Promise.all([waiting, then])
  const renewed = builds.renew('shop')
  await saw('ninja begins')
  expect(events).toEqual(['make begins', 'make is killed', 'ninja begins'])
  await builds.close()
  expect(await renewed).toBe(false)
  expect(events.at(-1)).toBe('ninja is killed')
})
