import type { MiddlewareHandler } from 'hono'
import { compress } from 'hono/compress'
import type { AppEnv } from '../http/app-env.ts'

/** Smallest answer in bytes that is worth compressing. */
const THRESHOLD = 1_024

/** Compresses JSON and text from 1 KiB on for callers that ask for it; small answers and streams pass as they are. */
export function compression(): MiddlewareHandler<AppEnv> {
  const compressing = compress({ threshold: THRESHOLD })
  return function compression(c, next) {
    if (c.req.header('accept-encoding') === undefined) return next()
    return compressing(c, async () => {
      await next()
      const { headers } = c.res
      const type = headers.get('content-type') ?? ''
      if (!WHOLE.test(type) || headers.has('content-length') || headers.has('transfer-encoding')) return
      // compress() goes by Content-Length alone, and Hono sets none
      const body = await c.res.arrayBuffer()
      c.res = new Response(body, c.res)
      c.res.headers.set('content-length', String(body.byteLength))
    })
  }
}

/** Answers that are made in one piece, so that their length can be taken. */
const WHOLE = /^(?:application\/(?:problem\+)?json|text\/(?:plain|html|css|javascript))/
