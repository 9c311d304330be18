import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { systemClock } from '../drivers/clock.ts'
import { Platform } from './config/schema.ts'
import { runRole } from './host.ts'
import type { AppEnv } from './http/app-env.ts'
import { defineRole } from './role.ts'

/** Longer than a run is waited for that has nothing but streams under way. */
const LONG_MS = 1_300

/** A role with a cache: `/run` tells which of its runs answers, `/slow` whether that run was ended meanwhile. */
function shop() {
  let runs = 0
  const asked = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  const role = defineRole({
    name: 'shop',
    service: 'shop-service',
    summary: 'a shop',
    port: 0,
    config: z.strictObject({}),
    needs: [],
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

describe('a role whose cache moves while it serves', () => {
  it('lets requests under way end in their own time, and gives new ones to the next run at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'msvc-moving-'))
    const settings = Platform.parse({ data: join(folder, 'data') })
    const { role, asked, finish } = shop()
    const host = await runRole(role, {
      settings,
      section: { host: '127.0.0.1', port: 0 },
      registryUrl: '',
      version: '0.0.0-test',
      clock: systemClock,
      sinks: [],
    })
    try {
      const get = async (path: string) => (await fetch(new URL(path, host.url))).text()
      const slow = get('/slow')
      await asked
      const { data, store, bus } = settings
      // another URL, and the same cache
      const to = { data, store, bus, cache: 'MEMORY:' }
      await host.cutover.prepare(to)
      await host.cutover.hold({ id: 'one', to, leaseMs: 60_000 }, 1_000)
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
})
