import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { commandsIn, type RunningPlatform } from '../running-platform.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-own-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A folder of its own for a platform, its services' files in it. */
function shop(): string {
  const made = mkdtempSync(join(folder, 'shop-'))
  for (const name of ['echo.mjs', 'receiver.mjs']) copyFileSync(join(import.meta.dirname, name), join(made, name))
  return made
}

const SERVICES = `services:
  migrations:
    run: echo migrated; exit 0
    ready: none
    restart: never
  echo:
    run: ${process.execPath} echo.mjs
    ready: http /health
    needs: [migrations]
    replicas: 2
    env: { LEVEL: debug, GREETING: '\${LANG:-en}' }
    secrets: [STRIPE_KEY]
    route: { path: /echo, methods: { GET: public, POST: [echo:write] }, strip: true, limit: { per_second: 1000, burst: 1000 } }
  receiver:
    run: ${process.execPath} receiver.mjs
    needs: [echo, broker]
    receives: { 'shop.*': { to: /events, max_deliver: 3, ack_wait: 5 } }
`

const Listed = z.object({
  units: z.array(
    z.object({ unit: z.string(), state: z.string(), service: z.string().nullable(), ended: z.string().nullable() }),
  ),
})
const Environment = z.record(z.string(), z.string())

describe.each([
  { mode: 'local', auth: '' },
  { mode: 'token', auth: 'auth: { mode: token, hosts: [127.0.0.1] }\n' },
])("services of one's own, auth.mode $mode", ({ mode, auth }) => {
  const { msvc, up } = commandsIn(shop(), `${auth}${SERVICES}`)
  const data = 'data'
  let platform: RunningPlatform
  beforeAll(async () => {
    // the secret is set while the service waits for it
    const starting = up(data)
    await vi.waitUntil(
      () =>
        msvc(data, 'config', 'set', 'echo', 'STRIPE_KEY', 'sk-1', '--secret').then(
          () => true,
          () => false,
        ),
      { timeout: 40_000, interval: 300 },
    )
    platform = await starting
    await vi.waitUntil(async () => (await states()).get('receiver') === 'ready', { timeout: 30_000, interval: 200 })
  }, 80_000)
  afterAll(() => platform?.stop())

  const states = async () =>
    new Map(Listed.parse(JSON.parse(await msvc(data, 'ps', '--json'))).units.map(({ unit, state }) => [unit, state]))
  const entries = async (...flags: readonly string[]) =>
    (await msvc(data, 'logs', ...flags, '--json'))
      .split('\n')
      .filter(Boolean)
      .map((line) =>
        z.looseObject({ message: z.string(), level: z.string(), instance: z.string() }).parse(JSON.parse(line)),
      )

  it('start in the order of needs, a finished job among them', async () => {
    expect(Object.fromEntries(await states())).toMatchObject({
      migrations: 'finished',
      echo: 'ready',
      'echo-2': 'ready',
      receiver: 'ready',
      outbound: 'ready',
    })
  })

  it('are told where they listen, where everything is, and their secrets, but not those of the platform', async () => {
    const env = Environment.parse(await (await fetch(`${platform.url('gateway')}/echo/env`)).json())
    expect(env).toMatchObject({
      HOST: '127.0.0.1',
      SERVICE_NAME: 'echo',
      LEVEL: 'debug',
      GREETING: 'en',
      STRIPE_KEY: 'sk-1',
      MSVC_SUPERVISED: '1',
      GATEWAY_URL: platform.url('gateway'),
      REGISTRY_URL: platform.url('registry'),
      CONFIG_SERVER_URL: platform.url('config-server'),
      LOG_SERVER_URL: platform.url('log-server'),
      BROKER_URL: platform.url('broker'),
      OTEL_SERVICE_NAME: 'echo',
      OTEL_EXPORTER_OTLP_ENDPOINT: platform.url('log-server'),
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=${env.INSTANCE_ID},deployment.environment.name=development`,
    })
    // what may be called has a door, which is neither its own address nor that of another service
    expect(env.USER_SERVICE_URL).not.toBe(platform.url('user'))
    expect(env.RECEIVER_URL).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(
      Object.keys(env).filter((name) => name.includes('MSVC_TOKEN') || name.includes('OTLP_HEADERS')),
    ).toHaveLength(mode === 'token' ? 2 : 0)
    if (mode === 'token') {
      const token = readFileSync(env.MSVC_TOKEN_FILE ?? '', 'utf8')
      const answer = await fetch(`${platform.url('registry')}/registry/services`, {
        headers: { authorization: `Bearer ${token}` },
      })
      expect(answer.status).toBe(200)
    }
    expect(await msvc(data, 'ps', '--json')).not.toContain('sk-1')
  })

  it('are reached through the gateway as their route says, and spread', async () => {
    const seen = new Set<string | null>()
    await vi.waitUntil(async () => {
      seen.add((await fetch(`${platform.url('gateway')}/echo/x`)).headers.get('x-instance'))
      return seen.size === 2
    })
    expect((await fetch(`${platform.url('gateway')}/echo/x`, { method: 'POST' })).status).toBe(401)
    expect((await fetch(`${platform.url('gateway')}/echo/x`, { method: 'DELETE' })).status).toBe(405)
  })

  it('receive messages, call each other in one trace, and are found by what they write', async () => {
    const traceId = `${mode === 'local' ? 'a' : 'b'}`.repeat(32)
    await msvc(data, 'publish', 'shop.sold', '{"item":7}')
    await vi.waitUntil(
      async () => (await entries('receiver')).some(({ message }) => message === 'received {"item":7}'),
      { timeout: 15_000, interval: 200 },
    )
    const [entry] = (await entries('receiver')).filter(({ message }) => message.startsWith('received'))
    const trace = z.string().parse(entry?.trace_id)
    expect(trace).toMatch(/^[0-9a-f]{32}$/)
    await vi.waitUntil(
      async () => {
        const shown = await msvc(data, 'trace', trace)
        return shown.includes('publish shop.sold') && shown.includes('outbound')
      },
      { timeout: 15_000, interval: 300 },
    )
    await fetch(`${platform.url('gateway')}/echo/say?text=hello&trace=${traceId}`)
    await vi.waitUntil(async () => (await entries('--trace', traceId)).length > 0, { timeout: 10_000, interval: 200 })
    expect(await entries('--trace', traceId, '--level', 'warning')).toMatchObject([
      { service: 'echo', message: 'hello', level: 'WARNING' },
    ])
  })
})

describe('services that go wrong', () => {
  const { msvc, up } = commandsIn(
    shop(),
    `services:
  deaf: { run: sleep 300, ready: http /health }
  crash: { run: exit 3, ready: none }
  once: { run: exit 4, ready: none, restart: never }
  absent: { run: [no-such-program], ready: none }
  keyless: { run: sleep 300, ready: none, secrets: [NO_SUCH_KEY] }
  behind: { run: sleep 300, ready: none, needs: [deaf] }
  fine: { run: sleep 300, ready: none }
`,
  )

  it('have a state that says why, while the rest runs', { timeout: 60_000 }, async () => {
    await using platform = await up('data')
    const rows = z
      .object({ units: z.array(z.looseObject({ unit: z.string() })) })
      .parse(JSON.parse(await msvc('data', 'ps', '--json'))).units
    const row = (name: string) => rows.find(({ unit }) => unit === name)
    expect(row('deaf')).toMatchObject({
      state: 'starting',
      doing: expect.stringContaining('nobody listens on 127.0.0.1:'),
    })
    expect(row('crash')).toMatchObject({ state: 'backing-off', ended: 'exit code 3' })
    expect(row('once')).toMatchObject({ state: 'failed', ended: 'exit code 4' })
    expect(row('absent')).toMatchObject({
      state: 'backing-off',
      ended: "no-such-program can't be started: there is no such program",
    })
    expect(row('keyless')).toMatchObject({
      state: 'backing-off',
      ended: expect.stringContaining(
        'there is no secret NO_SUCH_KEY for it in development; set it: msvc config set keyless NO_SUCH_KEY --secret',
      ),
    })
    expect(row('behind')).toMatchObject({ state: 'waiting' })
    expect(row('fine')).toMatchObject({ state: 'ready' })
    expect((await fetch(`${platform.url('gateway')}/health`)).status).toBe(200)
  })
})
