import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import type * as z from 'zod'
import { controlAddress } from '../../../src/kit/supervisor/control-address.ts'
import { connectControl } from '../../../src/kit/supervisor/control-client.ts'
import { Changes, type ControlRequest, NO_CHANGES, Units } from '../../../src/kit/supervisor/control-protocol.ts'
import { commandsIn } from '../running-platform.ts'
import { failed, load } from '../steady-load.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-apply-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
copyFileSync(join(import.meta.dirname, 'echo.mjs'), join(folder, 'echo.mjs'))

const RUN = `run: [${process.execPath}, echo.mjs], ready: http /health`
const SERVICES = `services:
  echo: { ${RUN}, route: { path: /echo, methods: { GET: public }, strip: true } }
  counted: { ${RUN}, route: { path: /counted, methods: { GET: public }, limit: { per_second: 0.001, burst: 3 } } }
`
const late = (methods: string) => `  late: { ${RUN}, route: { path: /late, methods: { ${methods} } } }\n`

/** Asks the platform as commands do. */
async function ask<S extends z.ZodType>(request: ControlRequest, shape: S): Promise<z.infer<S>> {
  const control = await connectControl(controlAddress(join(folder, 'data')))
  try {
    return await control.ask(request, shape, AbortSignal.timeout(60_000))
  } finally {
    control.close()
  }
}
const apply = () => ask({ do: 'apply' }, Changes)
const routesOf = async (service: string) =>
  (await ask({ do: 'list' }, Units)).units.find((unit) => unit.service === service)?.routes
const processes = async () =>
  (await ask({ do: 'list' }, Units)).units.map(({ unit, state, pid }) => ({ unit, state, pid }))

it('changes what has changed in the file while requests, streams and counts go on', { timeout: 180_000 }, async () => {
  const { msvc, up, configure } = commandsIn(folder, SERVICES)
  await using platform = await up('data')
  const gateway = platform.url('gateway')
  const statusOf = async (path: string, method = 'GET') => (await fetch(`${gateway}${path}`, { method })).status
  await vi.waitUntil(async () => (await statusOf('/echo/')) === 200, { timeout: 20_000, interval: 50 })
  expect([await statusOf('/counted'), await statusOf('/counted')]).toEqual([200, 200])
  const before = await processes()
  const stream = await fetch(`${gateway}/echo/stream`)
  const { answers, stop } = load(`${gateway}/echo/`, 100)
  const toUsers = load(`${gateway}/gateway/api/users`, 20)

  configure(`${SERVICES}${late('GET: public')}`)
  expect(JSON.parse(await msvc('data', 'apply', '--json'))).toEqual({
    ...NO_CHANGES,
    started: ['late'],
    reloaded: ['gateway', 'outbound'],
  })
  await vi.waitUntil(async () => (await statusOf('/late')) === 200, { timeout: 20_000, interval: 50 })
  expect(await statusOf('/late', 'POST')).toBe(405)
  expect(await routesOf('late')).toEqual([`${gateway}/late`])
  expect(await msvc('data', 'ps')).toMatch(/\nSERVICE +AT THE GATEWAY\n[\s\S]*\nlate +http.*\/late\n/)

  configure(`${SERVICES}${late('GET: token, POST: public')}`)
  expect(await apply()).toEqual({ ...NO_CHANGES, reloaded: ['gateway'] })
  expect([await statusOf('/late'), await statusOf('/late', 'POST')]).toEqual([401, 200])
  expect(await apply()).toEqual(NO_CHANGES)

  configure(`bus: nats://127.0.0.1:1\nauth: { issuer: shop }\n${SERVICES}`)
  expect(await apply()).toEqual({
    ...NO_CHANGES,
    stopped: ['late'],
    reloaded: ['gateway', 'outbound'],
    pending_restart: ['auth.issuer', 'bus'],
  })
  expect(await statusOf('/late')).toBe(404)
  expect(await msvc('data', 'apply')).toBe(
    'auth.issuer has changed too: that takes msvc down and msvc up\nbus has changed too: that takes msvc down and msvc up\n',
  )

  const enough = answers.length + 50
  await vi.waitUntil(() => answers.length >= enough, { timeout: 20_000 })
  expect([failed(await stop()), failed(await toUsers.stop())]).toEqual([[], []])
  // the third of three, and not the first of three
  expect([await statusOf('/counted'), await statusOf('/counted')]).toEqual([200, 429])
  expect(await statusOf('/echo/end')).toBe(200)
  expect(await stream.text()).toMatch(/^(?:data: on\n\n)+data: over\n\n$/)
  expect(await processes()).toEqual(before)
})
