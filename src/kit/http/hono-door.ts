import type { getRequestListener } from '@hono/node-server'
import { AppError, toAppError, toProblem } from '../errors.ts'
import { currentScope } from '../telemetry/scope.ts'
import type { AppEnv } from './app-env.ts'
import { ExchangeResponse } from './exchange-response.ts'
import type { IncomingRequest } from './incoming-request.ts'
import { PROBLEM_TYPE } from './problem.ts'

/** The inner chain and the routes. */
export interface InnerApp {
  fetch(request: Request, env: AppEnv['Bindings']): Response | Promise<Response>
}

/**
 * The way from node:http to a Hono app. What makes web requests of node's is loaded at the first of them: it brings node's whole
 * fetch, some 20 ms of processor time that a start needn't wait for, and a gateway passes nearly all by it.
 * @returns what takes one request; it answers every one, and never throws
 */
export function honoDoor(app: InnerApp): (incoming: IncomingRequest, outgoing: ExchangeResponse) => void {
  let take: ReturnType<typeof getRequestListener> | undefined

  async function open(): Promise<NonNullable<typeof take>> {
    const { getRequestListener, RequestError } = await import('@hono/node-server')
    /** Answers what never became a web Request. */
    function outsideOfApp(fault: unknown): Response {
      const error = fault instanceof RequestError ? new AppError('INVALID_REQUEST', fault.message) : toAppError(fault)
      const problem = toProblem(error, currentScope()?.span.traceId ?? '')
      return new Response(JSON.stringify(problem), {
        status: error.status,
        headers: { 'content-type': PROBLEM_TYPE },
      })
    }
    take ??= getRequestListener(
      (request, env) => {
        const exchange = env.outgoing instanceof ExchangeResponse ? env.outgoing.exchange : undefined
        return app.fetch(request, exchange ? { exchange } : {})
      },
      { errorHandler: outsideOfApp },
    )
    return take
  }

  return (incoming, outgoing) => {
    if (take) void take(incoming, outgoing)
    else void open().then((taking) => taking(incoming, outgoing))
  }
}
