import { createServer } from 'node:http'
import { type Server, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../../drivers/clock.ts'
import type { HeldPort } from '../../drivers/system/held-port.ts'
import { AppError, messageOf } from '../errors.ts'
import { runInScope, type Scope } from '../telemetry/scope.ts'
import { type Accepting, accept, acceptHanded, quietTurn, SOCKETS } from './accepting.ts'
import { Connection, type ConnectionLimits, connectionOf } from './connection.ts'
import { Connections, type ConnectionsLimits } from './connections.ts'
import type { Door } from './door.ts'
import type { Exchange, Layer } from './exchange.ts'
import { ExchangeResponse } from './exchange-response.ts'
import { HeldBodies } from './held-bodies.ts'
import { honoDoor, type InnerApp } from './hono-door.ts'
import { IncomingRequest } from './incoming-request.ts'
import { METHODS, malformedness, unservable } from './malformed.ts'
import { placeOf } from './port-of.ts'
import { answerProblem } from './problem.ts'
import { watchStalls } from './stalls.ts'

/** How often Node looks for connections past their time, milliseconds. */
const CHECK_MS = 1_000
/** How long an idle connection is kept, milliseconds: longer than any client of ours keeps one, so that they never meet its end. */
const KEEP_ALIVE_MS = 72_000

/** How often connections that have become idle are closed while draining, milliseconds. */
const DRAIN_SWEEP_MS = 20
/** So many turns are waited for one that found nothing to do, before they are closed: what came meanwhile would be lost. */
const TURNS_TO_SWEEP = 200

/**
 * For how long clients are asked to connect anew before idle connections are closed, where the port outlives this process, milliseconds: who sends
 * something just then would lose it.
 */
const LAST_ANSWERS_MS = 300

/** Against slow and greedy clients; the defaults are the config schema's. */
export interface ListenerLimits extends ConnectionLimits, ConnectionsLimits {
  readonly header_bytes: number
  readonly header_fields: number
  readonly headers_timeout_ms: number
  readonly request_timeout_ms: number
  /** Requests that came together with more than a connection may have under way, and wait for their turn. */
  readonly held_requests: number
  /** Of all bodies that are in memory at once, bytes. */
  readonly held_body_bytes: number
}

/** Where to listen, and what takes the requests. */
export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** How another port is chosen, for who is told that this one is taken. Default: as for a role's own. */
  readonly elsewhere?: string
  /** Whether the port is held for this process (held-port.ts). Default false. */
  readonly isHeld?: boolean
  /** How many sockets share the port. Default 16, for many clients that come at once. */
  readonly sockets?: number
  /** Descriptors of sockets that listen already, in place of host and port. Default: none. */
  readonly handed?: readonly number[]
  readonly limits: ListenerLimits
  /** The outer chain, outermost first. */
  readonly layers: readonly Layer[]
  /** Default: none, and `handle` takes every request. */
  readonly app?: InnerApp
  /** Takes a request before Hono sees it; true when it did. */
  readonly handle?: (exchange: Exchange) => boolean
  /** Where requests may have to wait once they have passed the layers. Default: nowhere. */
  readonly door?: Pick<Door, 'pass'>
  readonly clock: Pick<Clock, 'monotonic'>
}

/** A role's open port. */
export interface Listener {
  /** The address it listens on. */
  readonly host: string
  readonly port: number
  /** Of sockets that listened before, all addresses: `host` is the first's. */
  readonly handedHosts: readonly string[]
  /** As `Accepting.join`; its drain then begins with answers that ask clients to connect anew. */
  join(held?: HeldPort): Promise<void>
  /** Takes no new connections (of a port that was joined: soon none), lets requests under way finish for at most `ms` milliseconds, then cuts what is left. */
  drain(ms: number): Promise<void>
}

/** How long what still comes on a connection that was told its fault is thrown away before it is closed, milliseconds. */
const LINGER_MS = 1_000
/** Stands for the method of bytes that never became a request. */
const NO_METHOD = '-'

/** Placeholder until the tracing layer, the second of the chain, has run. */
const NO_SCOPE: Scope = {
  requestId: '',
  span: { traceId: '', spanId: '', sampled: false, setAttribute: () => {}, rename: () => {}, end: () => {} },
}

/** Opens a role's port. Throws AppError `START_FAILED` when it is taken or not allowed. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { limits, layers, app, handle, door, clock } = options
  const toHono = app && honoDoor(app)
  let draining = false
  let isOutlived = false

  const server = createServer({
    IncomingMessage: IncomingRequest,
    ServerResponse: ExchangeResponse,
    headersTimeout: limits.headers_timeout_ms,
    requestTimeout: limits.request_timeout_ms,
    connectionsCheckingInterval: CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: limits.header_bytes,
    requireHostHeader: false,
  })
  // one more, so that it shows: node's parser drops those beyond without a word
  server.maxHeadersCount = limits.header_fields + 1

  const connections = new Connections(limits)
  const bodies = new HeldBodies(limits.held_body_bytes)
  const open = new Set<Connection>()
  let held = 0
  const owner = {
    limits,
    serve,
    dismiss,
    hold: () => held < limits.held_requests && ++held > 0,
    release(count: number) {
      held -= count
    },
  }

  /** Answers a request: the layers, then a role's own handle or its routes; or `fault`, past the layers too. */
  function serve(connection: Connection, incoming: IncomingRequest, outgoing: ExchangeResponse, given?: AppError) {
    const url = incoming.url ?? '/'
    const query = url.indexOf('?')
    const fault = given ?? unservable(incoming, limits.header_fields)
    // an upgrade that isn't made leaves node's parser without the rest of what it has read: what came behind it may begin anywhere
    const isLast = fault !== undefined || incoming.headers.upgrade !== undefined
    const exchange: Exchange = {
      incoming,
      outgoing,
      method: incoming.method ?? NO_METHOD,
      path: query < 0 ? url : url.slice(0, query),
      startedAt: clock.monotonic(),
      requestId: '',
      bodies,
      scope: NO_SCOPE,
      route: 'unmatched',
      headers: draining || isLast ? { connection: 'close' } : {},
      fault,
    }
    outgoing.exchange = exchange
    if (fault) connection.doom()
    else if (isLast) incoming.whenWhole(() => connection.doom())
    if (!enter(layers, exchange, () => connection.done(outgoing))) return
    if (fault) {
      answerProblem(exchange, fault)
      return
    }
    if (incoming.headers.expect !== undefined && incoming.httpVersion === '1.1')
      incoming.whenRead(() => outgoing.askForBody())
    const go = () =>
      runInScope(exchange.scope, () => {
        if (!handle?.(exchange)) toHono?.(incoming, outgoing)
      })
    if (door) door.pass(exchange, go)
    else go()
  }

  /** Closes a connection with an answer made by hand, for bytes that node's server made no answer for; it passes the layers like all others. */
  function dismiss(connection: Connection, fault: AppError, incoming = new IncomingRequest(connection.socket)) {
    const { socket } = connection
    const outgoing = new ExchangeResponse(incoming)
    outgoing.assignSocket(socket)
    outgoing.once('finish', () => {
      socket.end()
      // closing on bytes that arrive would reset the connection, and the answer with it
      setTimeout(() => socket.destroy(), LINGER_MS).unref()
    })
    connection.adopt(outgoing)
    serve(connection, incoming, outgoing, fault)
  }

  server.on('connection', (socket: Socket) => {
    const connection = new Connection(socket, owner)
    open.add(connection)
    socket.once('close', () => open.delete(connection))
    const seat = open.size > limits.max_connections ? undefined : connections.admit(connection)
    if (!seat) {
      socket.destroy()
      return
    }
    connection.seat = seat
    socket.once('close', () => {
      connections.remove(seat)
      connection.closed()
    })
  })
  const stalls = watchStalls(clock)
  server.on('close', () => {
    if (!isOutlived) stalls.stop()
  })
  function take(incoming: IncomingRequest, outgoing: ExchangeResponse) {
    connectionOf(incoming.socket)?.take(incoming, outgoing, stalls.isCatchingUp)
  }
  server.on('request', take).on('checkContinue', take).on('checkExpectation', take)
  server.on('connect', (incoming, socket) => {
    socket.on('error', () => {})
    const error = new AppError('METHOD_NOT_ALLOWED', 'Method not allowed', { headers: { allow: METHODS } })
    connectionOf(incoming.socket)?.refuse(error, incoming instanceof IncomingRequest ? incoming : undefined)
  })
  server.on('clientError', (cause, socket) => {
    const connection = socket instanceof Socket ? connectionOf(socket) : undefined
    const fault = malformedness(cause)
    if (!connection || fault === 'reset') socket.destroy()
    else if (fault === 'surplus') connection.surplus()
    else if (fault.code === 'REQUEST_TIMEOUT') connection.overdue(fault)
    else connection.refuse(fault)
  })
  const accepting = await openPort(server, options)

  return {
    ...placeOf(server),
    handedHosts: accepting.handedHosts,
    async join(socket) {
      isOutlived = true
      try {
        await accepting.join(socket)
      } catch (fault) {
        isOutlived = false
        throw fault
      }
    },
    async drain(ms) {
      draining = true
      const { isHanded } = accepting
      const cut = setTimeout(() => {
        for (const connection of open) connection.close()
      }, ms)
      const stop = () => new Promise<void>((resolve) => accepting.stop(resolve))
      // the socket that is left to a later process has nobody else yet; what comes to others is for those who listen there too, from now on
      const stopped = isOutlived && !isHanded ? undefined : stop()
      if (isHanded || isOutlived) await delay(Math.min(LAST_ANSWERS_MS, ms))
      const ended = stopped ?? stop()
      let isSweeping = false
      // a kept-alive connection whose request ends later would be waited for until it is cut
      const closeIdle = async () => {
        if (isSweeping) return
        isSweeping = true
        await quietTurn(server, Math.min(TURNS_TO_SWEEP, ms))
        // node's own would close one whose answer is ended and not yet sent, too
        for (const connection of open) if (connection.isAtRest) connection.close()
        isSweeping = false
      }
      void closeIdle()
      const sweep = setInterval(() => void closeIdle(), DRAIN_SWEEP_MS)
      await ended
      clearTimeout(cut)
      clearInterval(sweep)
      stalls.stop()
    },
  }
}

/** Runs the layers; false when one of them answered. Their leaving halves run in reverse when the answer is over. */
function enter(layers: readonly Layer[], exchange: Exchange, left: () => void): boolean {
  const leaving: ((exchange: Exchange) => void)[] = []
  exchange.outgoing.once('close', () => {
    for (let at = leaving.length - 1; at >= 0; at--) leaving[at]?.(exchange)
    left()
  })
  for (const layer of layers) {
    const leave = layer(exchange)
    if (leave === false) return false
    if (leave) leaving.push(leave)
  }
  return true
}

async function openPort(
  server: Server,
  { host, port, elsewhere = OWN_PORT, sockets = SOCKETS, isHeld = false, handed = [] }: ListenerOptions,
): Promise<Accepting> {
  if (handed.length > 0) return openHanded(server, handed)
  try {
    return await accept(server, { host, port, sockets, isHeld })
  } catch (cause) {
    throw new AppError('START_FAILED', listenFault(cause, host, port, elsewhere), { cause })
  }
}

async function openHanded(server: Server, handed: readonly number[]): Promise<Accepting> {
  try {
    const accepting = await acceptHanded(server, handed)
    placeOf(server)
    return accepting
  } catch (cause) {
    throw new AppError(
      'START_FAILED',
      `the socket that the service manager hands over can't be listened on; ListenStream= of its unit wants a port: ${messageOf(cause)}`,
      { cause },
    )
  }
}

const OWN_PORT = 'serve --port, up --port-offset, or port: in its section (0 takes a free one)'

function listenFault(cause: unknown, host: string, port: number, elsewhere: string): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EADDRINUSE')
    return `port ${port} on ${host} is taken by another program; stop it, or choose another: ${elsewhere}`
  if (code === 'EACCES')
    return `port ${port} on ${host} is not allowed to this user; choose one from 1024 up: ${elsewhere}`
  if (code === 'EADDRNOTAVAIL') return `this machine has no address ${host}`
  return `can't listen on ${host}:${port}: ${messageOf(cause)}`
}
