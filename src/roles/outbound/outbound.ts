import { Hono } from 'hono'
import type { ClientSettings } from '../../kit/client/http-service-client.ts'
import { RetryBudget } from '../../kit/client/retry.ts'
import type { RoleContext } from '../../kit/context.ts'
import type { Balancer } from '../../kit/discovery/balancer.ts'
import { AppError } from '../../kit/errors.ts'
import { openForwardingConnections } from '../../kit/forwarding/connections.ts'
import { type DispatchTools, dispatch } from '../../kit/forwarding/dispatch.ts'
import type { Way } from '../../kit/forwarding/forwarder.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import type { Exchange } from '../../kit/http/exchange.ts'
import type { LoopbackPort } from '../../kit/http/loopback-ports.ts'
import { METHODS } from '../../kit/http/malformed.ts'
import { answerProblem } from '../../kit/http/problem.ts'
import type { Running } from '../../kit/role.ts'
import { createCircuitBreaker } from '../../kit/upstream/circuit-breaker.ts'
import { callerNumber } from '../../kit/upstream/shares.ts'
import { type Door, nameOf, type OutboundConfig, settingsOf } from './config.ts'
import { DoorTokens } from './door-tokens.ts'
import { outboundMetrics } from './outbound-metrics.ts'
import { type Call, passingThrough } from './passing-through.ts'

/** What the role needs of its context. */
export type OutboundContext = Pick<
  RoleContext<OutboundConfig>,
  'service' | 'authority' | 'config' | 'clientSettings' | 'directory' | 'clock' | 'log' | 'metrics' | 'signal' | 'defer'
>

/** Connections to an instance, and what of them may be taken by uploads, and by one service whatever the others do. */
const POOL = { maxConnections: 1_024, uploadShare: 0.5, callerShare: 0.25 }
/** Milliseconds that who sends a body may be silent. */
const BODY_STALL_MS = 30_000

/**
 * Puts the doors together. Those with equal breakers share what one call learns of an instance; that, and what a door has left for trying again, outlives a
 * change of doors.
 */
export function createOutbound(
  ctx: OutboundContext,
): Required<Pick<Running<OutboundConfig>, 'app' | 'loopback' | 'reload'>> {
  const { config, clientSettings, directory, clock, log, signal } = ctx
  const { upstreams, watchdog, probing } = openForwardingConnections({ ...ctx, limits: POOL })
  const breakers = new Map<string, Balancer>()
  let budgets: ReadonlyMap<string, RetryBudget> = new Map()
  const tokens = new DoorTokens({ authority: ctx.authority, audience: ctx.service, clock })
  const common = {
    forwarder: passingThrough({ clock, directory, metrics: outboundMetrics(ctx.metrics), tokens, stopping: signal }),
    directory,
    upstreams,
    watchdog,
    log,
    clock,
    stopping: signal,
  }

  function breakerOf({ breaker_failures: failures, breaker_open_ms: holdMs }: ClientSettings): Balancer {
    const key = `${failures} ${holdMs}`
    const known = breakers.get(key)
    if (known) return known
    const made = createCircuitBreaker({ clock, directory, log, failures, holdMs, ...probing })
    breakers.set(key, made)
    return made
  }

  function portOf(door: Door, budget: RetryBudget): LoopbackPort {
    const settings = settingsOf(door, clientSettings)
    const tools = { ...common, balancer: breakerOf(settings), budget }
    const handle = passes(door, wayOf(door.upstream, settings), tools)
    return { name: `the door ${nameOf(door)}`, port: door.port, elsewhere: 'outbound.doors', handle }
  }

  function openAll({ doors }: OutboundConfig): readonly LoopbackPort[] {
    const open = doors.map((door) => ({ door, budget: budgets.get(nameOf(door)) ?? new RetryBudget(clock) }))
    budgets = new Map(open.map(({ door, budget }) => [nameOf(door), budget]))
    return open.map(({ door, budget }) => portOf(door, budget))
  }

  return {
    app: new Hono<AppEnv>(),
    loopback: openAll(config),
    reload: (changed) => ({ loopback: openAll(changed) }),
  }
}

/** The bounds within which a door's calls are made. */
function wayOf(upstream: string, { timeout_ms, attempts }: ClientSettings): Way {
  return {
    upstream,
    attempts,
    upstream_timeout_ms: timeout_ms,
    deadline_ms: timeout_ms * attempts,
    body_limit: Number.POSITIVE_INFINITY,
    body_stall_ms: BODY_STALL_MS,
  }
}

/** What takes a door's calls. */
function passes(door: Door, way: Way, tools: DispatchTools<Call>): (exchange: Exchange) => void {
  const { caller, upstream } = door
  const name = nameOf(door)
  const number = callerNumber(caller)
  return function pass(exchange) {
    const { incoming, method, scope } = exchange
    exchange.route = name
    // both services log the call themselves
    exchange.housekeeping = true
    scope.span.setAttribute('caller', caller)
    scope.span.setAttribute('peer.service', upstream)
    const refusal = method === 'TRACE' ? NO_TRACE : isWebSocket(incoming.headers.upgrade) ? NO_WEBSOCKET : undefined
    if (refusal) answerProblem(exchange, refusal)
    else dispatch(tools, { exchange, way, target: incoming.url ?? '/', door }, number)
  }
}

const isWebSocket = (upgrade: string | undefined) => upgrade?.toLowerCase() === 'websocket'
const NO_TRACE = new AppError('METHOD_NOT_ALLOWED', 'Method not allowed', { headers: { allow: METHODS } })
const NO_WEBSOCKET = new AppError('NOT_IMPLEMENTED', 'WebSockets are not passed on', {
  detail: 'WebSockets are not passed on: call an instance itself (GET /registry/discover/:name tells where one is)',
})
