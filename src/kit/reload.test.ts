import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as z from 'zod'
import { systemClock } from '../drivers/clock.ts'
import { Platform } from './config/schema.ts'
import { type RunningHost, runRole } from './host.ts'
import type { AppEnv } from './http/app-env.ts'
import { defineRole } from './role.ts'

const Config = z.strictObject({ greeting: z.string(), doors: z.array(z.string()).default([]) })

/** A role that greets as its settings say, at its loopback ports too. */
const greeter = (reloads: readonly ('greeting' | 'doors')[]) =>
  defineRole({
    name: 'greeter',
    service: 'greeter',
    summary: 'says hello',
    port: 0,
    config: Config,
    reloads,
    needs: [],
    async start({ config, cache }) {
      await cache()
      let { greeting } = config
      const app = new Hono<AppEnv>()
      app.get('/hello', (c) => c.text(greeting))
      const ports = (doors: readonly string[]) =>
        doors.map((name) => ({
          name,
          port: 0,
          elsewhere: 'doors',
          handle: ({ outgoing }: { readonly outgoing: { end(text: string): unknown } }) =>
            void outgoing.end(`${greeting} at ${name}`),
        }))
      return {
        app,
        loopback: ports(config.doors),
        reload(changed) {
          greeting = changed.greeting
          return { loopback: ports(changed.doors) }
        },
      }
    },
  })

async function start(section: z.input<typeof Config>) {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-reload-'))
  const settings = Platform.parse({ data: join(folder, 'data') })
  const host = await runRole(greeter(['greeting', 'doors']), {
    settings,
    section: { host: '127.0.0.1', port: 0, ...section },
    registryUrl: '',
    version: '0.0.0-test',
    clock: systemClock,
    sinks: [],
  })
  onTestFinished(async () => {
    await host.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  return { host, settings, hello: () => said(`${host.url}/hello`) }
}

const said = async (url: string) => (await fetch(url)).text()
const doorOf = (host: RunningHost, name: string) => host.loopback.find((door) => door.name === name)?.port
const atDoor = (host: RunningHost, name: string) => said(`http://127.0.0.1:${doorOf(host, name)}/`)

describe('a role that takes settings while it runs', () => {
  it('goes by them, the rest as it was', async () => {
    const { host, hello } = await start({ greeting: 'Hello', doors: ['a', 'b'] })
    const b = doorOf(host, 'b')
    await host.reload({ greeting: 'Hi' })
    expect([await hello(), await atDoor(host, 'a')]).toEqual(['Hi', 'Hi at a'])
    await host.reload({ doors: ['b', 'c'] })
    expect([await hello(), await atDoor(host, 'c'), doorOf(host, 'b')]).toEqual(['Hi', 'Hi at c', b])
    expect(doorOf(host, 'a')).toBeUndefined()
  })

  it('stays as it is when it can not take them', async () => {
    const { host, hello } = await start({ greeting: 'Hello' })
    await expect(host.reload({ greeting: 7 })).rejects.toThrow()
    expect(await hello()).toBe('Hello')
    await host.reload({ doors: ['a'] })
    expect(await atDoor(host, 'a')).toBe('Hello at a')
  })

  it('has them after a move too', async () => {
    const { host, settings, hello } = await start({ greeting: 'Hello' })
    const { data, store, bus } = settings
    const to = { data, store, bus, cache: 'MEMORY:' }
    await host.reload({ greeting: 'Hi' })
    await host.cutover.prepare(to)
    await host.cutover.hold({ id: 'one', to, leaseMs: 60_000 }, 20_000)
    await host.cutover.begin('one', 'new')
    expect(await hello()).toBe('Hi')
  })
})
