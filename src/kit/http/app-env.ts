import type { Exchange } from './exchange.ts'

/**
 * What a Hono handler of any role finds in its context. `c.env.exchange` is absent under `app.request()` in unit tests.
 * @example
 * const app = new Hono<AppEnv>()
 * app.get('/me', (c) => c.json({ address: c.env.exchange?.client }))
 */
export interface AppEnv {
  Bindings: { exchange?: Exchange }
}
