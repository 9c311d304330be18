import { createServer, type IncomingMessage, type Server } from 'node:http'
import { getRequestListener, RequestError } from '@hono/node-server'
import type { Hono } from 'hono'
import type { Clock } from '../../drivers/clock.ts'
import { AppError, toAppError, toProblem } from '../errors.ts'
import type { AppEnv } from '../role.ts'
import { currentScope, runInScope, type Scope } from '../telemetry/scope.ts'
import type { Exchange, Layer } from './exchange.ts'
import { ExchangeResponse } from './exchange-response.ts'
import { portOf } from './port-of.ts'
import { PROBLEM_TYPE } from './problem.ts'

/** How often Node looks for connections past their time, milliseconds. */
const CHECK_MS = 1_000
/** How long an idle connection is kept, milliseconds: longer than any client of ours keeps one, so that they never meet its end. */
const KEEP_ALIVE_MS = 72_000

/** How often connections that have become idle are closed while draining, milliseconds. */
const DRAIN_SWEEP_MS = 20

/** Against slow and greedy clients; the defaults are the config schema's. */
export interface ListenerLimits {
  readonly header_bytes: number
  readonly headers_timeout_ms: number
  readonly request_timeout_ms: number
  readonly max_connections: number
}

/** Where to listen, and what takes the requests. */
export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly limits: ListenerLimits
  /** The outer chain, outermost first. */
  readonly layers: readonly Layer[]
  /** The inner chain and the routes. */
  readonly app: Hono<AppEnv>
  /** Takes a request before Hono sees it; true when it did. */
  readonly handle?: (exchange: Exchange) => boolean
  readonly clock: Pick<Clock, 'monotonic'>
}

/** A role's open port. */
export interface Listener {
  readonly port: number
  /** Takes no new connections, lets requests under way finish for at most `ms` milliseconds, then cuts what is left. */
  drain(ms: number): Promise<void>
}

/** Placeholder until the tracing layer, the second of the chain, has run. */
const NO_SCOPE: Scope = {
  requestId: '',
  span: { traceId: '', spanId: '', sampled: false, setAttribute: () => {}, rename: () => {}, end: () => {} },
}

/** Opens a role's port. Throws AppError `START_FAILED` when it is taken or not allowed. */
export async function listen({ host, port, limits, layers, app, handle, clock }: ListenerOptions): Promise<Listener> {
  const toHono = getRequestListener(
    (request, env) => {
      const exchange = env.outgoing instanceof ExchangeResponse ? env.outgoing.exchange : undefined
      return app.fetch(request, exchange ? { exchange } : {})
    },
    { errorHandler: outsideOfApp },
  )
  let draining = false

  const server = createServer({
    ServerResponse: ExchangeResponse,
    headersTimeout: limits.headers_timeout_ms,
    requestTimeout: limits.request_timeout_ms,
    connectionsCheckingInterval: CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: limits.header_bytes,
    requireHostHeader: false,
  })
  server.maxConnections = limits.max_connections
  server.on('request', (incoming, outgoing) => {
    const url = incoming.url ?? '/'
    const query = url.indexOf('?')
    const exchange: Exchange = {
      incoming,
      outgoing,
      method: incoming.method ?? 'GET',
      path: query < 0 ? url : url.slice(0, query),
      startedAt: clock.monotonic(),
      requestId: '',
      scope: NO_SCOPE,
      route: 'unmatched',
      headers: draining ? { connection: 'close' } : {},
    }
    outgoing.exchange = exchange
    if (!enter(layers, exchange)) return
    runInScope(exchange.scope, () => {
      if (!handle?.(exchange)) void toHono(incoming, outgoing)
    })
  })
  await open(server, host, port)

  return {
    port: portOf(server),
    drain(ms) {
      draining = true
      return new Promise((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), ms)
        // close() ends what is idle now; a kept-alive connection whose request ends later would be waited for until it is cut
        const sweep = setInterval(() => server.closeIdleConnections(), DRAIN_SWEEP_MS)
        server.close(() => {
          clearTimeout(cut)
          clearInterval(sweep)
          resolve()
        })
      })
    },
  }
}

/** Answers what never became a web Request, such as one whose Host has a port that is none. */
function outsideOfApp(fault: unknown): Response {
  const error = fault instanceof RequestError ? new AppError('INVALID_REQUEST', fault.message) : toAppError(fault)
  const problem = toProblem(error, currentScope()?.span.traceId ?? '')
  return new Response(JSON.stringify(problem), { status: error.status, headers: { 'content-type': PROBLEM_TYPE } })
}

/** Runs the layers; false when one of them answered. Their leaving halves run in reverse when the answer is over. */
function enter(layers: readonly Layer[], exchange: Exchange): boolean {
  const leaving: ((exchange: Exchange) => void)[] = []
  exchange.outgoing.once('close', () => {
    for (let at = leaving.length - 1; at >= 0; at--) leaving[at]?.(exchange)
  })
  for (const layer of layers) {
    const leave = layer(exchange)
    if (leave === false) return false
    if (leave) leaving.push(leave)
  }
  return true
}

function open(
  server: Server<typeof IncomingMessage, typeof ExchangeResponse>,
  host: string,
  port: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(new AppError('START_FAILED', explain(cause, host, port), { cause })),
    )
    server.listen({ host, port, backlog: 1024 }, () => resolve())
  })
}

function explain({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  if (code === 'EADDRINUSE')
    return `port ${port} on ${host} is taken by another program; stop it, or choose another with --port or --port-offset`
  if (code === 'EACCES')
    return `port ${port} on ${host} is not allowed to this user; choose one from 1024 up with --port`
  if (code === 'EADDRNOTAVAIL') return `this machine has no address ${host}`
  return `can't listen on ${host}:${port}: ${message}`
}
