import type { Context, Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { AppError, codeOfStatus, toAppError, toProblem } from '../errors.ts'
import type { AppEnv } from '../http/app-env.ts'
import { PROBLEM_TYPE } from '../http/problem.ts'
import type { Refusal } from '../role.ts'
import type { Log } from '../telemetry/log.ts'
import { currentScope } from '../telemetry/scope.ts'

/**
 * Turns whatever a route throws into problem+json (RFC 9457), and logs what wasn't the caller's fault, with its cause. What is refused for being
 * too much (`UNAVAILABLE`, of no cause) is nobody's fault: it is warned of.
 * @param refusal where a route's protocol has a form of its own for errors. Default: none has
 */
export function errors(app: Hono<AppEnv>, log: Log, refusal?: Refusal): void {
  app.notFound((c) =>
    answer(c, new AppError('NOT_FOUND', 'Not found', { detail: `No route for ${c.req.method} ${c.req.path}` })),
  )
  app.onError((thrown, c) => {
    const error = thrown instanceof HTTPException ? fromHono(thrown) : toAppError(thrown)
    const what = `${c.req.method} ${c.req.path}: ${error.message}`
    if (error.code === 'UNAVAILABLE' && error.cause === undefined) {
      if (c.env?.exchange) c.env.exchange.refused = true
      log.warning(what, { code: error.code })
    } else if (error.status >= 500) log.error(what, { code: error.code, cause: describe(error) })
    return refusal?.(c, error) ?? answer(c, error)
  })
}

function answer(c: Context<AppEnv>, error: AppError): Response {
  const problem = toProblem(error, currentScope()?.span.traceId ?? '')
  return c.body(JSON.stringify(problem), error.status, {
    'content-type': PROBLEM_TYPE,
    ...error.headers,
  })
}

function fromHono(thrown: HTTPException): AppError {
  const code = codeOfStatus(thrown.status) ?? (thrown.status < 500 ? 'INVALID_REQUEST' : 'INTERNAL')
  return new AppError(code, thrown.message, { cause: thrown })
}

/** The chain of causes, each with its stack, for the log alone. */
function describe(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error; at instanceof Error && parts.length < 5; at = at.cause)
    parts.push(at.stack ?? at.message)
  return parts.join('\ncaused by ')
}
