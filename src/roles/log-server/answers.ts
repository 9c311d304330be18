import type { Context } from 'hono'
import type { AppEnv } from '../../kit/role.ts'

/** Answers with JSON that is text already. */
export function answerJson(c: Context<AppEnv>, json: string): Response {
  return c.body(json, 200, { 'content-type': 'application/json' })
}

/** Fires when a request's caller goes away before its answer: nobody waits for it any more. */
export function callerLeft(c: Context<AppEnv>): AbortSignal {
  const left = new AbortController()
  c.env?.exchange?.outgoing.once('close', () => left.abort())
  return left.signal
}
