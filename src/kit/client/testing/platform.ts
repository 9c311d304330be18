import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Authority } from '../../auth/authority.ts'
import type { Directory, Instance } from '../../discovery/directory.ts'
import { portOf } from '../../http/port-of.ts'
import type { Scope } from '../../telemetry/scope.ts'
import { silentLog } from '../../telemetry/testing/recorded-log.ts'
import type { ActiveSpan, SpanEnd, Tracing } from '../../telemetry/tracing.ts'
import { createClients } from '../clients.ts'

type Handler = (request: IncomingMessage, answer: ServerResponse) => void

/** The trace of every span here. */
export const TRACE = '0af7651916cd43dd8448eb211c80319c'

/** A client span as it was started and ended. */
export interface RecordedSpan {
  readonly name: string
  readonly parent: string | undefined
  readonly keep: boolean
  readonly end?: SpanEnd
}

/** For tests: a service of one or more instances, each a real server, and a client for it. */
export class TestPlatform {
  readonly servers: Server[] = []
  readonly instances: Instance[] = []
  readonly spans: RecordedSpan[] = []
  close = () => {}
  mode: Authority['mode'] = 'local'
  ahead = 0

  async serve(handler: Handler): Promise<Instance> {
    const server = createServer(handler)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.servers.push(server)
    return this.add(portOf(server))
  }

  add(port: number): Instance {
    const url = `http://127.0.0.1:${port}`
    const id = `instance-${this.instances.length}`
    const instance = { id, service_name: 'user-service', host: '127.0.0.1', port, url, tags: [], metadata: {} }
    this.instances.push(instance)
    return instance
  }

  /** A port nobody listens on. */
  async addDead(): Promise<Instance> {
    const instance = await this.serve(() => {})
    await close(this.servers.pop())
    return instance
  }

  client() {
    const clock = { now: () => Date.now() + this.ahead, monotonic: () => performance.now() + this.ahead }
    const directory: Directory = {
      instances: () => this.instances,
      settled: Promise.resolve(),
      waitFor: (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('nobody')))),
      onChange: () => () => {},
      close: async () => {},
    }
    const authority: Authority = {
      mode: this.mode,
      issuer: 'msvc',
      mint: async () => '',
      verify: async () => ({ is: 'user', subject: '', scopes: new Set() }),
      recall: () => undefined,
      referenceOf: async () => undefined,
      publicKeys: async () => [],
      heed: () => {},
      renew: async () => ({ token: '', scopes: [], expiresIn: 1 }),
      serviceToken: async (service, audience) => `${service}-for-${audience}`,
    }
    const tracing: Tracing = {
      start: (name, { parent, keep }) => {
        const record: RecordedSpan = { name, parent: parent?.spanId, keep: keep ?? true }
        this.spans.push(record)
        return span({ end: (options) => void Object.assign(record, { end: options }) })
      },
      flush: async () => {},
    }
    const settings = { timeout_ms: 5_000, attempts: 3, breaker_failures: 5, breaker_open_ms: 60_000 }
    const random = () => 0
    const caller = 'order-service'
    const clients = createClients({ caller, directory, authority, clock, log: silentLog, tracing, settings, random })
    this.close = clients.close
    return clients.client('user-service')
  }
}

function span(overrides: Partial<ActiveSpan>): ActiveSpan {
  const ids = { traceId: TRACE, spanId: 'b7ad6b7169203331', sampled: true }
  return { ...ids, setAttribute() {}, rename() {}, end() {}, ...overrides }
}

/** A request's scope whose trace isn't kept. */
export function scope(overrides: Partial<Scope> = {}): Scope {
  return { span: span({ spanId: '00f067aa0ba902b7', sampled: false }), requestId: 'request-1', ...overrides }
}

/** Stops a server and cuts its connections. */
export async function close(server: Server | undefined): Promise<void> {
  server?.closeAllConnections()
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)))
}

/** Answers with JSON. */
export const json = (answer: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}) =>
  answer.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
