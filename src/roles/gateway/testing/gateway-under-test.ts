import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type * as z from 'zod'
import type { Cache } from '../../../drivers/cache/contract.ts'
import { openCache } from '../../../drivers/cache/open.ts'
import { systemClock } from '../../../drivers/clock.ts'
import type { Authority } from '../../../kit/auth/authority.ts'
import { createAuthority } from '../../../kit/auth/local-authority.ts'
import { RevocationFiles } from '../../../kit/auth/revocation-files.ts'
import type { ServiceClient } from '../../../kit/client/service-client.ts'
import type { Directory, Instance } from '../../../kit/discovery/directory.ts'
import { portOf } from '../../../kit/http/port-of.ts'
import { exchangeBytes } from '../../../kit/http/testing/raw-requests.ts'
import { listenBehindChain } from '../../../kit/middleware/testing/chained-listener.ts'
import type { Log } from '../../../kit/telemetry/log.ts'
import { createMetrics } from '../../../kit/telemetry/metrics.ts'
import { createTracing } from '../../../kit/telemetry/tracer.ts'
import { type RawAnswer, rawUpstream } from '../../../kit/upstream/testing/sockets.ts'
import { GatewayConfig } from '../config.ts'
import { GATEWAY_SERVICE } from '../contract.ts'
import { createGateway, type GatewayContext } from '../gateway.ts'

/** For tests: a gateway on a free port, the services behind it made up by the test. */
export interface GatewayUnderTest {
  readonly port: number
  readonly url: string
  readonly authority: Authority
  /** Warnings and errors it logged. */
  readonly logged: string[]
  /** Prometheus text of its metrics. */
  metrics(): Promise<string>
  /** Makes instances of a service known, each by its port. */
  list(service: string, ...ports: number[]): void
  /** Starts an HTTP upstream and lists it as one more instance of a service. */
  serve(service: string, listener: RequestListener): Promise<Server>
  /** The same for an upstream of raw bytes. */
  serveRaw(service: string, answer: RawAnswer): ReturnType<typeof rawUpstream>
  /** A token of alice's for the gateway, as a header value. */
  bearer(scopes?: readonly string[]): Promise<string>
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Has it take other settings while it runs. */
  reload(config: z.input<typeof GatewayConfig>): void
  /** Fires the signal of a role that begins to stop. */
  stop(): void
  /** Lets milliseconds pass for the gateway at once, so that no test's patience is as short as a stall; resolves when it has looked what is over. */
  pass(ms: number): Promise<void>
  /** Sends bytes as they are; all that came back until the gateway closed the connection. */
  send(bytes: string): Promise<string>
  [Symbol.asyncDispose](): Promise<void>
}

/** Longer than it takes the gateway to look at its deadlines, milliseconds. */
const LOOK_MS = 100

/** Starts the gateway behind the kit's whole chain, with real sockets and keys, and a directory that the test fills. */
export async function startGateway(
  config: z.input<typeof GatewayConfig> = {},
  {
    mode = 'local',
    clients = {},
    cache,
  }: { mode?: Authority['mode']; clients?: Readonly<Record<string, ServiceClient>>; cache?: Cache } = {},
): Promise<GatewayUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'))
  const cleanups: (() => Promise<unknown> | unknown)[] = [() => rm(folder, { recursive: true, force: true })]
  let passed = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passed }
  const parsed = GatewayConfig.parse(config)
  const authority = createAuthority({ mode, issuer: 'msvc', folder: join(folder, 'keys'), clock })
  const logged: string[] = []
  const note = (message: string) => void logged.push(message)
  const log: Log = { debug() {}, info() {}, warning: note, error: note, critical: note }
  const metrics = createMetrics(GATEWAY_SERVICE)
  const tracing = createTracing({ service: GATEWAY_SERVICE, clock, ship: () => {} })
  const services = new Map<string, readonly Instance[]>()
  const stopping = new AbortController()
  const listeners = new Set<(service: string) => void>()
  const directory: Directory = {
    instances: (service) => services.get(service) ?? [],
    settled: Promise.resolve(),
    waitFor: async (service) => services.get(service) ?? [],
    onChange: (notify) => {
      listeners.add(notify)
      return () => listeners.delete(notify)
    },
    close: async () => {},
  }
  const ctx: GatewayContext = {
    config: parsed,
    service: GATEWAY_SERVICE,
    authority,
    revocationFiles: () => new RevocationFiles(join(folder, 'keys')),
    directory,
    clock,
    log,
    metrics,
    signal: stopping.signal,
    client: (service) => clients[service] ?? noService(service),
    defer: (cleanup) => void cleanups.push(cleanup),
  }
  const running = await createGateway(ctx, cache ?? (await openCache({ url: 'memory:', prefix: '' })))
  const chain = { service: GATEWAY_SERVICE, clock, log, metrics, tracing, authority }
  const listener = await listenBehindChain(running, chain)
  const url = `http://127.0.0.1:${listener.port}`

  const list = (service: string, ...ports: number[]) => {
    services.set(
      service,
      ports.map((port) => instanceAt(service, port)),
    )
    for (const notify of listeners) notify(service)
  }
  const listOneMore = (service: string, port: number) =>
    list(service, ...(services.get(service) ?? []).map((instance) => instance.port), port)

  return {
    port: listener.port,
    url,
    authority,
    logged,
    metrics: () => metrics.text(),
    list,
    async serve(service, answer) {
      const server = createServer(answer)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      cleanups.push(() => {
        server.closeAllConnections()
        server.close()
      })
      listOneMore(service, portOf(server))
      return server
    },
    async serveRaw(service, answer) {
      const upstream = await rawUpstream(answer)
      cleanups.push(() => upstream.close())
      listOneMore(service, upstream.port)
      return upstream
    },
    bearer: async (scopes = []) =>
      `Bearer ${await authority.mint({ subject: 'alice', audience: GATEWAY_SERVICE, scopes })}`,
    fetch: (path, init) => fetch(url + path, { redirect: 'manual', ...init }),
    reload: (changed) => void running.reload(GatewayConfig.parse(changed)),
    stop: () => stopping.abort(),
    async pass(ms) {
      passed += ms
      await delay(LOOK_MS)
    },
    send: (bytes) => exchangeBytes(listener.port, bytes),
    async [Symbol.asyncDispose]() {
      await listener.drain(0)
      for (const cleanup of cleanups.toReversed()) await cleanup()
    },
  }
}

function instanceAt(service: string, port: number): Instance {
  const url = `http://127.0.0.1:${port}`
  return { id: `${service}-${port}`, service_name: service, host: '127.0.0.1', port, url, tags: [], metadata: {} }
}

function noService(service: string): ServiceClient {
  const fail = () => Promise.reject(new Error(`the test has no ${service}`))
  return { service, get: fail, post: fail, put: fail, patch: fail, delete: fail, raw: fail }
}
