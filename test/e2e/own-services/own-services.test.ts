import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
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
const Entry = z.looseObject({
  message: z.string(),
  level: z.string(),
  service: z.string(),
  trace_id: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})
const Trace = z.object({ spans: z.array(z.object({ service: z.string(), operation: z.string() })) })

describe.each([
  { mode: 'local', auth: '' },
  { mode: 'token', auth: 'auth: { mode: token, hosts: [127.0.0.1] }\n' },
])("services of one's own, auth.mode $mode", ({ mode, auth }) => {
  const { msvc, up } = commandsIn(shop(), `${auth}${SERVICES}`)
  const data = 'data'
  let platform: RunningPlatform
  let token: string | undefined
  beforeAll(async () => {
    // the secret is set while the service waits for it
    const starting = up(data)
    const set = () => msvc(data, 'config', 'set', 'echo', 'STRIPE_KEY', 'sk-1', '--secret')
    const isSet = vi.waitUntil(() => set().catch(() => undefined), { timeout: 90_000, interval: 300 })
    await Promise.race([isSet, starting])
    await isSet
    platform = await starting
    await vi.waitUntil(async () => (await states()).get('receiver') === 'ready', { timeout: 30_000, interval: 200 })
  }, 180_000)
  afterAll(() => platform?.stop())

  const states = async () =>
    new Map(Listed.parse(JSON.parse(await msvc(data, 'ps', '--json'))).units.map(({ unit, state }) => [unit, state]))

  /** Asks the log server, as somebody who may read it. */
  async function asked(path: string): Promise<unknown> {
    token ??=
      mode === 'token'
        ? (await msvc(data, 'token', '--subject', 'ann', '--audience', 'log-server', '--scope', 'logs:read')).trim()
        : ''
    const headers = token === '' ? {} : { authorization: `Bearer ${token}` }
    return (await fetch(`${platform.url('log-server')}${path}`, { headers })).json()
  }

  const entries = async (query: string) =>
    z.object({ entries: z.array(Entry) }).parse(await asked(`/logs?${query}`)).entries

  it('start in the order of needs, a finished job among them', async () => {
    expect(Object.fromEntries(await states())).toMatchObject({
      migrations: 'finished',
      echo: 'ready',
      'echo-2': 'ready',
      receiver: 'ready',
      outbound: 'ready',
    })
    // whatever they answer to /health
    const healthy = (await msvc(data, 'health', '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(healthy).toEqual(expect.arrayContaining([expect.objectContaining({ role: 'receiver', status: 'healthy' })]))
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
      // whom it reaches by a door gets another one from there
      const { aud } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
      expect(aud).toContain('outbound')
      expect(aud).not.toContain('receiver')
      expect(aud).not.toContain('user-service')
    }
    expect(await msvc(data, 'ps', '--json')).not.toContain('sk-1')
  })

  it('are reached through the gateway as their route says, and spread', async () => {
    const seen = new Set<string | null>()
    await vi.waitUntil(
      async () => {
        seen.add((await fetch(`${platform.url('gateway')}/echo/x`)).headers.get('x-instance'))
        return seen.size === 2
      },
      { timeout: 20_000 },
    )
    expect((await fetch(`${platform.url('gateway')}/echo/x`, { method: 'POST' })).status).toBe(401)
    expect((await fetch(`${platform.url('gateway')}/echo/x`, { method: 'DELETE' })).status).toBe(405)
  })

  it('receive messages, call each other in one trace, and are found by what they write', async () => {
    await msvc(data, 'publish', 'shop.sold', '{"item":7}')
    const received = await vi.waitUntil(
      async () => (await entries('service=receiver')).find(({ message }) => message === 'received {"item":7}'),
      { timeout: 20_000, interval: 100 },
    )
    expect(received.metadata).toMatchObject({ from: mode === 'token' ? 'broker' : 'nobody' })
    await vi.waitUntil(
      async () => {
        const { spans = [] } = Trace.partial().parse(await asked(`/traces/${received.trace_id}`))
        const has = (service: string, operation: string) =>
          spans.some((span) => span.service === service && span.operation === operation)
        return (
          has('broker', 'publish shop.sold') &&
          has('outbound', 'POST broker->receiver') &&
          has('outbound', 'GET receiver->echo')
        )
      },
      { timeout: 20_000, interval: 100 },
    )
    const traceId = 'a'.repeat(32)
    await fetch(`${platform.url('gateway')}/echo/say?text=hello&trace=${traceId}`)
    const said = await vi.waitUntil(async () => (await entries(`trace_id=${traceId}&level=WARNING`)).at(0), {
      timeout: 20_000,
      interval: 100,
    })
    expect(said).toMatchObject({ service: 'echo', message: 'hello', level: 'WARNING' })
  })
})

describe('services that go wrong', () => {
  const { msvc, start } = commandsIn(
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

  it('have a state that says why, while the rest runs', { timeout: 180_000 }, async () => {
    const platform = start('data', 'up', '--quiet')
    const ended = once(platform, 'exit')
    onTestFinished(async () => {
      platform.kill('SIGTERM')
      await ended
    })
    const missing =
      'there is no secret NO_SUCH_KEY for it in development; set it: msvc config set keyless NO_SUCH_KEY --file FILE --secret'
    const wanted = {
      deaf: { state: 'starting', doing: expect.stringContaining('nobody listens on 127.0.0.1:') },
      crash: { state: 'backing-off', ended: 'exit code 3' },
      once: { state: 'failed', ended: 'exit code 4' },
      absent: { state: 'backing-off', ended: "no-such-program can't be started: there is no such program" },
      keyless: { state: 'backing-off', ended: missing },
      behind: { state: 'waiting' },
      fine: { state: 'ready' },
      gateway: { state: 'ready' },
    }
    await vi.waitFor(
      async () => {
        const { units } = z
          .object({ units: z.array(z.looseObject({ unit: z.string() })) })
          .parse(JSON.parse(await msvc('data', 'ps', '--json')))
        expect(Object.fromEntries(units.map((row) => [row.unit, row]))).toMatchObject(wanted)
      },
      { timeout: 90_000, interval: 300 },
    )
    // what listens nowhere too: a container is judged by it
    const said = await msvc('data', 'health', '--json').catch(({ stdout }: { stdout: string }) => stdout)
    const verdicts = said.trim().split('\n')
    const Verdict = z.looseObject({ role: z.string(), status: z.string() })
    const byName = Object.fromEntries(
      verdicts.map((line) => Verdict.parse(JSON.parse(line))).map(({ role, status }) => [role, status]),
    )
    expect(byName).toMatchObject({
      deaf: 'starting',
      crash: 'not running',
      once: 'failed',
      absent: 'starting',
      fine: 'healthy',
      gateway: 'healthy',
    })
  })
})
