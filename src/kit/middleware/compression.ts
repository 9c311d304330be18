import type { MiddlewareHandler } from 'hono'
import { compress } from 'hono/compress'
import type { AppEnv } from '../role.ts'

/** Smallest answer in bytes that is worth compressing. */
const THRESHOLD = 1_024

/** Compresses answers from 1 KiB on for callers that ask for it; streams of events pass as they are. */
export function compression(): MiddlewareHandler<AppEnv> {
  const compressing = compress({ threshold: THRESHOLD })
  return function compression(c, next) {
    return c.req.header('accept-encoding') === undefined ? next() : compressing(c, next)
  }
}
