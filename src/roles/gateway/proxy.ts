import type { Taken } from '../../drivers/cache/contract.ts'
import { type Caller, NOBODY } from '../../kit/auth/asker.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { AppError, toAppError } from '../../kit/errors.ts'
import { type DispatchTools, dispatch } from '../../kit/forwarding/dispatch.ts'
import { callerKey } from '../../kit/http/caller-name.ts'
import type { Exchange } from '../../kit/http/exchange.ts'
import { answerProblem } from '../../kit/http/problem.ts'
import { callerNumber } from '../../kit/upstream/shares.ts'
import { identify } from './caller.ts'
import { type CorsPolicy, isPreflight } from './cors.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { Admitted } from './passing-on.ts'
import type { Policy } from './policy.ts'
import { isSafe, overLimit } from './rate-limits.ts'
import type { originRule } from './request-origin.ts'
import { parseRequestTarget } from './request-path.ts'
import { type Access, upstreamTarget } from './route-table.ts'

/** What the door knows: what it lets in, its rules for browsers, and what requests are dispatched with. */
export interface ProxyOptions extends DispatchTools<Admitted> {
  /** The gateway's own registered name. */
  readonly service: string
  readonly authority: Authority
  readonly metrics: Pick<GatewayMetrics, 'limited'>
  /** What holds for the request that begins now. */
  readonly policy: () => Policy
  readonly cors: CorsPolicy
  /** Tells where a request comes from. */
  readonly originOf: ReturnType<typeof originRule>
  /** Methods of a path that the gateway answers itself though it lies within a route, as in an Allow header; undefined for all others. */
  readonly ownMethods: (path: string) => string | undefined
}

/**
 * Makes the gateway's door. A request passes, in this order: path, route, CORS, method, token, limit; then it is dispatched to an
 * upstream. Whatever no route names is left to the gateway's own paths, which answer 404.
 * @returns a function that is true when it took the request
 */
export function createProxy(options: ProxyOptions): (exchange: Exchange) => boolean {
  const { policy, cors, originOf, ownMethods } = options
  const admit = admission(options)

  return function proxy(exchange) {
    const { incoming, method } = exchange
    const origin = originOf(incoming)
    exchange.client = origin.address
    const target = parseRequestTarget(incoming.url ?? '')
    if ('refused' in target) return answer(exchange, badPath(target.refused))
    const { table, deadline_ms } = policy()
    // not the one a client claims: with a short one it could have its own time-outs held against an instance
    exchange.scope.deadline = exchange.startedAt + deadline_ms
    // before anything is known of him: what comes in here is never a local caller's, and no header says who asks
    exchange.scope.asker = NOBODY

    const own = ownMethods(target.meant)
    if (own !== undefined) {
      if (crossesOrigins(exchange, own)) return true
      return !own.split(', ').includes(method) && answer(exchange, wrongMethod(own))
    }
    const match = table.match(method, target.meant)
    if (match.at === 'no-route') return method === 'TRACE' && answer(exchange, wrongMethod(''))
    exchange.route = match.template
    if (crossesOrigins(exchange, match.allow)) return true
    if (match.at === 'wrong-method') return answer(exchange, wrongMethod(match.allow))
    if (incoming.headers.upgrade?.toLowerCase() === 'websocket') return answer(exchange, noWebSockets())
    const { route, access } = match
    const path = upstreamTarget(route, target.path, target.query)
    return admit(access, { exchange, way: route, target: path, origin, serviceToken: undefined })
  }

  /** Gives the answer to come its CORS headers; true when the request was a preflight and is answered with that. */
  function crossesOrigins(exchange: Exchange, allow: string): boolean {
    const { incoming, outgoing, headers, method } = exchange
    const answered = cors.answer(incoming.headers.origin)
    if (!answered) return false
    Object.assign(headers, answered)
    if (answered['access-control-allow-origin'] === undefined || !isPreflight(method, incoming.headers)) return false
    outgoing.writeHead(204, { ...cors.preflight(allow) }).end()
    return true
  }
}

/** The last two checks, which need to know who asks: token, then limit. Each is passed at once where nothing has to be waited for. */
function admission(options: ProxyOptions): (access: Access, request: Admitted) => true {
  const { authority, service, metrics, log } = options

  function deny({ exchange, way }: Admitted, fault: unknown): void {
    const error = toAppError(fault)
    if (error.status >= 500) log.error(`a caller could not be checked: ${fault}`, { route: way.prefix })
    answerProblem(exchange, error)
  }

  function proceed(request: Admitted, caller: Caller): void {
    const { exchange, origin, way } = request
    exchange.scope.asker = caller
    const key = callerKey(caller, origin.address)
    const taking = (isSafe(exchange.method) ? way.reads : way.writes)?.take(key)
    if (taking instanceof Promise)
      taking.then((taken) => settle(request, key, taken)).catch((fault) => deny(request, fault))
    else settle(request, key, taking)
  }

  function settle(request: Admitted, key: string, taken: Taken | undefined): void {
    const error = taken && overLimit(taken)
    if (error) {
      metrics.limited(request.way.prefix)
      answerProblem(request.exchange, error)
    } else dispatch(options, request, callerNumber(key))
  }

  return function admit(access, request) {
    try {
      const caller = identify(request.exchange.incoming.headers, access, authority, service)
      if (caller instanceof Promise)
        caller.then((identity) => proceed(request, identity)).catch((fault) => deny(request, fault))
      else proceed(request, caller)
    } catch (fault) {
      deny(request, fault)
    }
    return true
  }
}

function answer(exchange: Exchange, error: AppError): true {
  answerProblem(exchange, error)
  return true
}

function badPath(reason: string): AppError {
  return new AppError('INVALID_PATH', 'Invalid path', { detail: `The path has ${reason}` })
}

function wrongMethod(allow: string): AppError {
  return new AppError('METHOD_NOT_ALLOWED', 'Method not allowed', { headers: { allow } })
}

function noWebSockets(): AppError {
  return new AppError('NOT_IMPLEMENTED', 'WebSockets are not passed on')
}
