import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as z from 'zod'
import { systemClock as clock } from '../../../drivers/clock.ts'
import type { Authority } from '../../../kit/auth/authority.ts'
import { createAuthority } from '../../../kit/auth/local-authority.ts'
import { RetryBudget } from '../../../kit/client/retry.ts'
import type { ServiceClient } from '../../../kit/client/service-client.ts'
import { createBalancer } from '../../../kit/discovery/balancer.ts'
import type { Directory, Instance } from '../../../kit/discovery/directory.ts'
import { listen } from '../../../kit/http/listener.ts'
import { exchangeBytes, portOf } from '../../../kit/http/testing/raw-requests.ts'
import { innerChain, outerChain } from '../../../kit/middleware/chain.ts'
import type { Log } from '../../../kit/telemetry/log.ts'
import { createMetrics } from '../../../kit/telemetry/metrics.ts'
import { createTracing } from '../../../kit/telemetry/tracer.ts'
import { aggregateMethods } from '../aggregate.ts'
import { GatewayConfig, routesOf } from '../config.ts'
import { GATEWAY_SERVICE } from '../contract.ts'
import { corsPolicy } from '../cors.ts'
import { headerFilter } from '../forwarded-headers.ts'
import { gatewayMetrics } from '../gateway-metrics.ts'
import { createProxy } from '../proxy.ts'
import { gatewayRoutes } from '../routes.ts'
import { createUpstreams } from '../upstream/upstreams.ts'
import { startWatchdog } from '../upstream/watchdog.ts'
import { type RawAnswer, rawUpstream } from './sockets.ts'

const LIMITS = { header_bytes: 16_384, headers_timeout_ms: 10_000, request_timeout_ms: 30_000, max_connections: 2_000 }

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
  /** Sends bytes as they are; all that came back until the gateway closed the connection. */
  send(bytes: string): Promise<string>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts the gateway behind the kit's whole chain, with real sockets and keys, and a directory that the test fills. */
export async function startGateway(
  config: z.input<typeof GatewayConfig> = {},
  {
    mode = 'local',
    clients = {},
  }: { mode?: Authority['mode']; clients?: Readonly<Record<string, ServiceClient>> } = {},
): Promise<GatewayUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'))
  const cleanups: (() => Promise<unknown> | unknown)[] = [() => rm(folder, { recursive: true, force: true })]
  const parsed = GatewayConfig.parse(config)
  const authority = createAuthority({ mode, issuer: 'msvc', folder, clock })
  const logged: string[] = []
  const note = (message: string) => void logged.push(message)
  const log: Log = { debug() {}, info() {}, warning: note, error: note, critical: note }
  const metrics = createMetrics(GATEWAY_SERVICE)
  const tracing = createTracing({ service: GATEWAY_SERVICE, clock, ship: () => {} })
  const services = new Map<string, readonly Instance[]>()
  const listeners = new Set<(service: string) => void>()
  const directory: Directory = {
    instances: (service) => services.get(service) ?? [],
    waitFor: async (service) => services.get(service) ?? [],
    onChange: (notify) => {
      listeners.add(notify)
      return () => listeners.delete(notify)
    },
    close: async () => {},
  }
  const upstreams = createUpstreams({ directory, clock })
  const watchdog = startWatchdog({ clock })
  const handle = createProxy({
    routes: routesOf(parsed),
    cors: corsPolicy(parsed.cors),
    ownMethods: aggregateMethods,
    service: GATEWAY_SERVICE,
    authority,
    directory,
    balancer: createBalancer({ clock }),
    budget: new RetryBudget(clock),
    upstreams,
    watchdog,
    headers: headerFilter(),
    metrics: gatewayMetrics(metrics),
    log,
    clock,
  })
  const app = gatewayRoutes({
    users: clients.users ?? noService('user-service'),
    orders: clients.orders ?? noService('order-service'),
    authority,
    service: GATEWAY_SERVICE,
  })
  const chain = {
    service: GATEWAY_SERVICE,
    summary: '',
    version: '0',
    clock,
    log,
    metrics,
    tracing,
    authority,
    hosts: [],
    origins: parsed.cors.origins,
    checks: new Map(),
    isReady: () => true,
  }
  const running = { app, handle }
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    limits: LIMITS,
    layers: outerChain(chain),
    app: innerChain(running, chain),
    handle,
    clock,
  })
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
    send: (bytes) => exchangeBytes(listener.port, bytes),
    async [Symbol.asyncDispose]() {
      await listener.drain(0)
      upstreams.close()
      watchdog.stop()
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
