import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { systemClock } from '../drivers/clock.ts'
import { Platform, type Settings } from './config/schema.ts'
import { type RunningHost, runRole } from './host.ts'
import type { AppEnv } from './http/app-env.ts'
import { type AnyRole, defineRole } from './role.ts'

/** Longer than a run is waited for that has nothing but streams under way. */
const LONG_MS = 1_300

const SHOP = {
  name: 'shop',
  service: 'shop-service',
  summary: 'a shop',
  port: 0,
  config: z.strictObject({}),
  needs: [],
}

/** A role with a cache: `/run` tells which of its runs answers, `/slow` whether that run was ended meanwhile. */
function shop() {
  let runs = 0
  const asked = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  const role = defineRole({
    ...SHOP,
    async start({ cache, defer }) {
      await cache()
      const run = ++runs
      let ended = false
      defer(() => {
        ended = true
      })
      const app = new Hono<AppEnv>()
      app.get('/run', (c) => c.text(String(run)))
      app.get('/slow', async (c) => {
        asked.resolve()
        await finish.promise
        return c.text(ended ? `cut off in run ${run}` : `ended in its own time in run ${run}`)
      })
      return { app }
    },
  })
  return { role, asked: asked.promise, finish: finish.resolve }
}

function start(role: AnyRole, settings: Settings): Promise<RunningHost> {
  return runRole(role, {
    settings,
    section: { host: '127.0.0.1', port: 0 },
    registryUrl: '',
    version: '0.0.0-test',
    clock: systemClock,
    sinks: [],
  })
}

/** Holds a role whose cache is to move. */
async function hold({ cutover }: RunningHost, { data, store, bus }: Settings): Promise<void> {
  // another URL, and the same cache
  const to = { data, store, bus, cache: 'MEMORY:' }
  await cutover.prepare(to)
  await cutover.hold({ id: 'one', to, leaseMs: 60_000 }, 20_000)
}

describe('a role whose cache moves while it serves', () => {
  it('lets requests under way end in their own time, and gives new ones to the next run at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'msvc-moving-'))
    const settings = Platform.parse({ data: join(folder, 'data') })
    const { role, asked, finish } = shop()
    const host = await start(role, settings)
    try {
      const get = async (path: string) => (await fetch(new URL(path, host.url))).text()
      const slow = get('/slow')
      await asked
      await hold(host, settings)
      expect(await get('/run')).toBe('1')
      await host.cutover.begin('one', 'new')
      expect(await get('/run')).toBe('2')
      await sleep(LONG_MS)
      finish()
      expect(await slow).toBe('ended in its own time in run 1')
    } finally {
      finish()
      await host.stop()
      rmSync(folder, { recursive: true })
    }
  })

  it('keeps requests waiting where the role has a store too, so that nothing it is told meanwhile is missed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'msvc-moving-'))
    const settings = Platform.parse({ data: join(folder, 'data') })
    const beginning = Promise.withResolvers<void>()
    let runs = 0
    const role = defineRole({
      ...SHOP,
      async start({ cache, store }) {
        const kept = await store<{ things: { name: string } }>({
          '001_things': { up: (schema) => schema.schema.createTable('things').addColumn('name', 'text').execute() },
        })
        await cache()
        const known = (await kept.db.selectFrom('things').select('name').execute()).map(({ name }) => name)
        if (++runs > 1) await beginning.promise
        const app = new Hono<AppEnv>()
        app.post('/:name', async (c) => {
          const name = c.req.param('name')
          await kept.transaction((trx) => trx.insertInto('things').values({ name }).execute())
          known.push(name)
          return c.text('told')
        })
        app.get('/', (c) => c.json(known))
        return { app }
      },
    })
    const host = await start(role, settings)
    try {
      const tell = (name: string) => fetch(new URL(name, host.url), { method: 'POST' })
      await tell('before')
      await hold(host, settings)
      const begun = host.cutover.begin('one', 'new')
      const told = tell('meanwhile')
      await expect.poll(() => runs).toBe(2)
      beginning.resolve()
      await begun
      expect((await told).status).toBe(200)
      expect(await (await fetch(host.url)).json()).toEqual(['before', 'meanwhile'])
    } finally {
      beginning.resolve()
      await host.stop()
      rmSync(folder, { recursive: true })
    }
  })
})
