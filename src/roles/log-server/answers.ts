import type { Context } from 'hono'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { callerName } from '../../kit/http/caller-name.ts'
import type { Searcher } from './searches.ts'

/** Answers with JSON that is text already. */
export function answerJson(c: Context<AppEnv>, json: string): Response {
  return c.body(json, 200, { 'content-type': 'application/json' })
}

/** Who makes a request that searches: for nobody any more once the caller has gone. */
export function searcherOf(c: Context<AppEnv>): Searcher {
  const left = new AbortController()
  c.env?.exchange?.outgoing.once('close', () => left.abort())
  return { name: callerName(c), signal: left.signal }
}
